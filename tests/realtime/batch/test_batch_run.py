"""Around the recordings of a batch: the lock, how many frames are expected, how many processes there are room for."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from engines.errors import UserError
from engines.files import remove_unfinished, unfinished
from engines.presets import DEFAULT_WEIGHTS
from realtime.batch import pool as batch_pool
from realtime.batch.checkpoint import fingerprint
from realtime.batch.job import Job, Outcome, Work
from realtime.batch.lock import hold, number_in
from realtime.batch.plan import WORKER_BYTES, check_outputs, expand, plan, sensible_workers
from realtime.batch.pool import ATTEMPTS, pool_outcomes
from realtime.batch.progress import ExpectedFrames
from realtime.batch.run import run_batch
from realtime.batch.worker import worker_main
from realtime.layers import load_settings
from realtime.reports.machine import usable_cores
from tests.support.fragile_worker import fragile_worker
from tests.support.long_runs import never
from tests.support.recordings import ROOT


def hold_until_told(path: Path, pipe: Connection) -> None:
    with hold(path, 0.0) as announce:
        announce(1234)
        announce(56)
        pipe.send(None)
        pipe.recv()


def test_one_process_at_a_time_has_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".t.npz.lock"
    assert number_in(path) is None
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold_until_told, args=(path, theirs))
    process.start()
    ours.recv()
    assert number_in(path) == 56
    with pytest.raises(UserError, match="another run works on this recording; wait"), hold(path, 0.1):
        pass
    assert number_in(path) == 56
    process.kill()
    process.join()
    assert path.exists()
    with hold(path, 1.0):
        assert path.exists()
    assert not path.exists()


def test_what_is_left_of_a_file_is_known_by_its_name(tmp_path: Path) -> None:
    mine = unfinished(tmp_path / "a.npz")
    assert (mine.parent, mine.suffix) == (tmp_path, ".npz")
    others = [tmp_path / name for name in (".a.b.1.tmp.npz", ".a.1.tmp.csv", "a.npz", ".a.tmp.npz", "a.1.tmp.npz")]
    for path in (mine, tmp_path / ".a.77.tmp.npz", *others):
        path.touch()
    remove_unfinished(tmp_path, ["a.npz"])
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_frames_are_estimated_from_what_is_known(tmp_path: Path) -> None:
    for name, size in (("a", 1000), ("b", 3000), ("c", 500)):
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "pictures").mkdir()
    for name in ("1.png", "2.JPG", "notes.txt"):
        (tmp_path / "pictures" / name).touch()
    a, b, c, pictures, none = (tmp_path / name for name in ("a", "b", "c", "pictures", "none"))
    frames = ExpectedFrames([a, b, c, pictures, none])
    assert frames.total() is None
    assert (frames.knows(pictures), frames.knows(a)) == (True, False)
    frames.learn(c, 0)  # it cannot be read, and says nothing of the others
    assert frames.total() is None
    frames.learn(a, 100)
    assert frames.total() == 100 + 300 + 2
    frames.learn(a, 90)
    frames.learn(b, 500)
    assert frames.total() == 590 + 2


def cgroup(folder: Path, cpu: str = "max 100000", memory: str = "max", used: int = 0, kept: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "cpu.max").write_text(f"{cpu}\n")
    (folder / "memory.max").write_text(f"{memory}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {kept}\nactive_file 7\n")


def test_there_are_as_many_processes_as_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.batch.plan.usable_cores", lambda: 16)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: _Memory(100 * WORKER_BYTES))
    membership, root = tmp_path / "membership", tmp_path / "root"

    def found() -> int:
        return sensible_workers(membership, root)

    assert found() == 16
    membership.write_text("4:cpu:/elsewhere\n0::/outer/inner\n")
    assert found() == 16
    for folder in (root, root / "outer", root / "outer" / "inner"):
        cgroup(folder)
    assert found() == 16
    cgroup(root / "outer", cpu="350000 100000")
    assert found() == 4
    cgroup(root / "outer" / "inner", cpu="50000 100000")
    assert found() == 1
    cgroup(root / "outer", memory=str(10 * WORKER_BYTES), used=9 * WORKER_BYTES, kept=2 * WORKER_BYTES)
    cgroup(root / "outer" / "inner")
    assert found() == 3
    monkeypatch.setattr(psutil, "virtual_memory", lambda: _Memory(2 * WORKER_BYTES + 1))
    assert found() == 2
    assert sensible_workers(membership, root, each_bytes=2 * WORKER_BYTES) == 1
    monkeypatch.setattr(psutil, "virtual_memory", lambda: _Memory(1))
    assert found() == 1


class _Memory:
    def __init__(self, available: int) -> None:
        self.available = available


def test_on_this_machine_it_is_no_more_than_its_cores() -> None:
    assert 1 <= sensible_workers() <= usable_cores()


def test_raw_tracks_are_written_over_no_others(tmp_path: Path) -> None:
    jobs = plan([tmp_path / "a.mp4", tmp_path / "a.raw.mp4"], tmp_path / "out", False)
    check_outputs(jobs, Work(load_settings()))
    with pytest.raises(UserError, match=r"a\.raw\.npz"):
        check_outputs(jobs, Work(load_settings(), smooth=True))


@pytest.fixture
def worked_on(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No network: what `run_batch` hands on is done at once, and its names are noted here."""
    sources: list[Path] = []

    def run(jobs: Sequence[Job], _work: Work, **_: object) -> Iterator[Outcome]:
        for job in jobs:
            sources.append(job.source)
            job.output.parent.mkdir(parents=True, exist_ok=True)
            job.output.touch()
            yield Outcome(job, "done", identity=fingerprint(job.source))

    monkeypatch.setattr("realtime.batch.run.pool_outcomes", run)
    return sources


def recordings(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the weights that ship."""
    path = tmp_path / "shipped.safetensors"
    path.write_text("first")
    monkeypatch.setitem(DEFAULT_WEIGHTS, "lite", path)
    return path


def test_recordings_that_keep_their_folders_have_one_manifest(
    tmp_path: Path, worked_on: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped(tmp_path, monkeypatch)
    sources = recordings(tmp_path, "x/a.mp4", "y/a.mp4")
    out = tmp_path / "out"
    assert run_batch(plan(sources, out, False), Work(load_settings()), 1, never, print) == 0
    assert worked_on == sources
    assert set(json.loads((out / "batch.json").read_text())["recordings"]) == {"x/a.mp4.npz", "y/a.mp4.npz"}
    assert f"written to {out}\n" in capsys.readouterr().out
    assert run_batch(plan(sources, out, True), Work(load_settings()), 1, never, print) == 0
    assert worked_on == sources


def test_dots_in_a_path_lead_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    above, here = recordings(tmp_path, "a.mp4", "sub/a.mp4")
    monkeypatch.chdir(tmp_path / "sub")
    found = expand(["../a.mp4", "a.mp4", "../sub/a.mp4", "../*.mp4"])
    assert found == [above, here]
    jobs = plan(found, Path("../sub/tracks"), False)
    out = tmp_path / "sub" / "tracks"
    assert [job.output for job in jobs] == [out / "a.mp4.npz", out / "sub" / "a.mp4.npz"]
    assert expand(["..", ".", str(tmp_path)]) == [tmp_path, tmp_path / "sub"]
    with pytest.raises(UserError, match="would not lie below"):
        plan([tmp_path / "sub" / ".." / "a.mp4", here], out, False)


def test_links_among_the_folders_make_no_second_recording(tmp_path: Path) -> None:
    (real,) = recordings(tmp_path, "real/a.mp4")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "b.mp4").symlink_to("a.mp4")
    (tmp_path / "round").symlink_to("round")
    names = ("real/a.mp4", "link/a.mp4", "link/b.mp4", "round/c.mp4")
    found = expand([str(tmp_path / name) for name in names])
    assert found == [real, real.with_name("b.mp4"), tmp_path / "round" / "c.mp4"]


@pytest.mark.parametrize("changed", ["intrinsics", "weights", "rootnet", "shipped", "calibration", "nothing"])
def test_a_resume_notices_another_content_of_what_the_settings_name(
    tmp_path: Path, worked_on: list[Path], monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    files = {name: tmp_path / name for name in ("intrinsics", "weights", "rootnet", "calibration/1.png", "nothing")}
    for file in recordings(tmp_path, *files):
        file.write_text("first")
    files |= {"shipped": shipped(tmp_path, monkeypatch), "calibration": files["calibration/1.png"]}
    words = {
        "intrinsics": ["intrinsics.source=file", f"intrinsics.file={files['intrinsics']}"],
        "weights": [f"engine.weights={files['weights']}"],
        "rootnet": ["engine.preset=paper", f"engine.weights={files['weights']}", f"engine.rootnet={files['rootnet']}"],
        "calibration": ["engine.precision=int8", f"engine.calibration={tmp_path / 'calibration'}"],
    }
    work = Work(load_settings(None, words.get(changed, [])))
    sources = recordings(tmp_path, "a.mp4")
    for content in ("first", "other"):
        files[changed].write_text(content)
        assert run_batch(plan(sources, tmp_path / "out", True), work, 1, never, print) == 0
    assert worked_on == sources * (1 if changed == "nothing" else 2)


def test_a_file_that_the_settings_name_is_looked_for_before_anything_is_done(
    tmp_path: Path, worked_on: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped(tmp_path, monkeypatch)
    settings = load_settings(None, ["intrinsics.source=file", f"intrinsics.file={tmp_path / 'none.json'}"])
    with pytest.raises(UserError, match=r"none\.json: cannot be read .*; name a file"):
        run_batch(plan(recordings(tmp_path, "a.mp4"), tmp_path / "out", False), Work(settings), 1, never, print)
    assert worked_on == []


@pytest.mark.parametrize("lives", [[0], [ATTEMPTS - 1, ATTEMPTS], []], ids=["only the first", "late ones", "none"])
def test_processes_that_die_while_they_start_cost_only_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lives: list[int]
) -> None:
    monkeypatch.setattr(batch_pool, "worker_main", fragile_worker)
    jobs = [Job(tmp_path / str(i), tmp_path / f"{i}.npz") for i in range(6)]
    starts = tmp_path / "starts"
    starts.mkdir()
    work = replace(Work(load_settings()), drawn_with=json.dumps([str(starts), lives]))
    outcomes = pool_outcomes(jobs, work, 2, never, print)
    if lives:
        assert sorted(one.job.output for one in outcomes if one) == [job.output for job in jobs]
    else:
        with pytest.raises(UserError, match=f"ended while it started .exit code -9., {ATTEMPTS} times"):
            list(outcomes)
    # After the first come three others, and no more; a late one may have done all before the next has started.
    started = len(list(starts.iterdir()))
    assert started in {0: [ATTEMPTS], 1: [1 + ATTEMPTS], 2: [ATTEMPTS, ATTEMPTS + 1]}[len(lives)]


@pytest.mark.parametrize("weights", [None, "none.safetensors"], ids=["it runs", "it cannot run"])
def test_a_run_that_ends_while_the_network_loads_leaves_no_traceback(
    weights: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    if weights is None and not (ROOT / "weights" / "lite.safetensors").exists():
        pytest.skip("needs the shipped weights")
    settings = load_settings(None, ["engine.threads=1", *([f"engine.weights={weights}"] if weights else [])])
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker_main, args=(theirs, os.getpid(), Work(settings)))
    process.start()
    theirs.close()
    ours.close()
    process.join(120)
    assert process.exitcode == 0
    assert "Traceback" not in capfd.readouterr().err

"""Around the recordings of a batch: the lock, how many frames are expected, how many processes there are room for."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from engines.errors import UserError
from realtime.batch_job import Work
from realtime.batch_limits import WORKER_BYTES, sensible_workers
from realtime.batch_lock import hold, number_in
from realtime.batch_plan import check_outputs, plan
from realtime.batch_progress import ExpectedFrames
from realtime.config import load_settings
from realtime.machine import usable_cores
from realtime.unfinished import remove_unfinished, unfinished


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
    monkeypatch.setattr("realtime.batch_limits.usable_cores", lambda: 16)
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

"""What is made from the tracks, and what a resume takes over of an earlier run: nothing of other settings."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import run_demo
from engines.contract import Backend
from realtime.batch.checkpoint import contents_of
from realtime.batch.job import Counts, Job, Outcome, Work
from realtime.batch.lock import number_in
from realtime.batch.manifest import Manifest
from realtime.batch.recording import process
from realtime.batch.run import batch_settings
from realtime.layers import load_settings
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import Tracks
from tests.support.engines import one_backend
from tests.support.full_disk import files_no_larger_than
from tests.support.long_runs import after, holder, never, program, same, wait_for
from tests.support.recordings import ROOT, cut

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights"
)
CLIP = 14
CSV = (".csv",)


@pytest.fixture(scope="module")
def work() -> Work:
    settings = batch_settings(load_settings(), smooth=False)
    return Work(settings, contents=contents_of(settings))


@pytest.fixture(scope="module")
def smoothing() -> Work:
    return Work(batch_settings(load_settings(), smooth=True), smooth=True)


@pytest.fixture(scope="module")
def backend(work: Work) -> Backend:
    """It is asked once for each frame: most tests track the same ones."""
    return one_backend()(work.settings)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(tmp_path_factory.mktemp("clips") / "clip.mp4", 171, CLIP)


@pytest.fixture
def fresh(clip: Path, backend: Backend, tmp_path: Path) -> Callable[[Work], Tracks]:
    """The tracks of a run that nothing came before."""

    def run(work: Work) -> Tracks:
        job = Job(clip, tmp_path / "fresh" / "t.npz")
        assert process(job, work, backend, never).status == "done"
        return load_tracks(job.output)

    return run


def drawn(_tracks: Tracks, frames: object, path: Path) -> None:
    """A render that any frame goes through."""
    assert isinstance(frames, Iterator)
    path.write_text(str(sum(1 for _ in frames)))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_counts_are_those_of_the_tracks(clip: Path, work: Work, backend: Backend, tmp_path: Path) -> None:
    job = Job(clip, tmp_path / "t.npz")
    announced: list[int | None] = []

    def look() -> bool:
        announced.append(number_in(job.lock))
        return False

    outcome = process(job, work, backend, look)
    counts = Counts.of(load_tracks(job.output))
    assert outcome.counts == counts
    assert counts.both > 5
    assert announced == [CLIP] * CLIP
    assert not job.lock.exists()


@pytest.mark.parametrize("change", ["settings", "smoothing", "nothing"])
def test_a_run_that_ended_while_it_exported_is_continued_with_the_same_settings_only(
    clip: Path,
    work: Work,
    smoothing: Work,
    backend: Backend,
    fresh: Callable[[Work], Tracks],
    tmp_path: Path,
    change: str,
) -> None:
    job = Job(clip, tmp_path / "t.npz")
    stopped = process(job, replace(work, suffixes=CSV), backend, after(CLIP + 1))
    assert (stopped.status, stopped.counts.frames) == ("stopped", CLIP)
    assert job.output.exists()
    assert not job.output.with_suffix(".csv").exists()
    other = load_settings(None, ["engine.threads=1", "tracker.lose_after_s=0.07"])
    then = {"settings": replace(work, settings=other), "smoothing": smoothing, "nothing": work}[change]
    outcome = process(replace(job, resume=True), replace(then, suffixes=CSV), backend, never)
    anew = change != "nothing"
    assert (outcome.status, outcome.tracked_frames) == ("done", CLIP if anew else 0)
    assert any("begins anew" in note for note in outcome.notes) == anew
    same(load_tracks(job.output), fresh(then))
    assert job.output.with_suffix(".csv").exists()


def test_smoothing_goes_on_from_what_was_measured(
    clip: Path, smoothing: Work, backend: Backend, fresh: Callable[[Work], Tracks], tmp_path: Path
) -> None:
    job = Job(clip, tmp_path / "t.npz", resume=True)
    assert process(job, smoothing, backend, after(CLIP + 1)).status == "stopped"
    assert not job.output.exists()
    outcome = process(job, smoothing, backend, never)
    assert (outcome.status, outcome.tracked_frames) == ("done", 0)
    same(load_tracks(job.output), fresh(smoothing))
    assert outcome.counts.both == Counts.of(load_tracks(job.output)).both


def test_a_stop_ends_the_video_between_two_frames(clip: Path, work: Work, backend: Backend, tmp_path: Path) -> None:
    work = replace(work, render=drawn)
    job = Job(clip, tmp_path / "t.npz", resume=True)
    (tmp_path / ".t_hands.1.tmp.mp4").write_text("left by a kill")
    (tmp_path / ".t.else.1.tmp.npz").write_text("of somebody else")
    assert process(job, work, backend, after(CLIP + 5)).status == "stopped"
    assert names_in(tmp_path) == {"t.npz", "t.npz.state", ".t.else.1.tmp.npz"}
    assert process(job, work, backend, never).status == "done"
    assert work.video(job).read_text() == str(CLIP)


@contextmanager
def noted(folder: Path, work: Work, outcome: Outcome) -> Iterator[Manifest]:
    """The manifest of a later run, after one with this outcome."""
    Manifest(folder, work).add(outcome)
    outcome.job.state.unlink(missing_ok=True)
    yield Manifest(folder, work)


def test_a_damaged_recording_stays_damaged_when_only_an_export_is_made(
    work: Work, backend: Backend, tmp_path: Path
) -> None:
    source = cut(tmp_path / "a.mkv", 60, 60)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    work = replace(work, suffixes=CSV)
    job = Job(source, tmp_path / "out" / "t.npz", resume=True)
    first = process(job, work, backend, never)
    assert (first.status, first.missing > 0) == ("damaged", True)
    job.output.with_suffix(".csv").unlink()
    with noted(tmp_path / "out", work, first) as manifest:
        assert not manifest.is_whole(job)
        again = process(replace(job, before=manifest.finished(job)), work, backend, never)
        carried = ("status", "message", "missing", "damaged", "identity")
        assert [getattr(again, name) for name in carried] == [getattr(first, name) for name in carried]
        for name in ("frames", "right", "left", "both", "span_s"):
            assert getattr(again.counts, name) == getattr(first.counts, name), name
        assert again.tracked_frames == 0
        manifest.add(again)
        assert manifest.is_whole(job)


def test_what_is_made_from_the_tracks_is_made_anew_where_it_would_be_another(
    clip: Path, work: Work, backend: Backend, tmp_path: Path
) -> None:
    job = Job(clip, tmp_path / "t.npz")
    video = replace(work, render=drawn, drawn_with="mirror")
    with noted(tmp_path, video, process(job, video, backend, never)):
        pass
    plain = Manifest(tmp_path, work)
    assert plain.is_whole(job)
    assert plain.finished(job) is not None
    assert Manifest(tmp_path, video).is_whole(job)
    assert not Manifest(tmp_path, replace(video, drawn_with="no mirror")).is_whole(job)
    other = replace(work, settings=load_settings(None, ["tracker.lose_after_s=0.07"]))
    assert Manifest(tmp_path, other).finished(job) is None
    # Tracked once more without the video: the old one shows what is no longer so.
    plain.add(process(job, work, backend, never))
    job.state.unlink()
    assert Manifest(tmp_path, work).is_whole(job)
    assert not Manifest(tmp_path, video).is_whole(job)


def test_tracks_that_a_later_run_began_to_replace_are_not_finished(
    clip: Path, work: Work, backend: Backend, tmp_path: Path
) -> None:
    job = Job(clip, tmp_path / "t.npz")
    other = replace(work, settings=load_settings(None, ["engine.threads=1", "tracker.lose_after_s=0.07"]))
    with noted(tmp_path, work, process(job, work, backend, never)) as manifest:
        assert manifest.finished(job) is not None
        process(job, replace(other, suffixes=CSV), backend, after(CLIP + 1))
        assert manifest.finished(job) is None


def test_kills_and_ctrl_c_while_the_video_is_made(clip: Path, work: Work, backend: Backend, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = Job(clip, out / "clip.npz", resume=True)
    words = ("--video", clip, "--out", out, "--save-video", "--no-3d", "--resume")

    def half_made() -> list[Path]:
        return list(out.glob(".clip_hands.*.tmp.mp4"))

    with program(*words, slow_video=True) as it:
        wait_for(lambda: bool(half_made()), it)
        tracked = (out / "clip.npz").stat().st_mtime_ns
        (first,) = half_made()
        os.kill(holder(job.lock), signal.SIGKILL)
        wait_for(lambda: half_made() not in ([], [first]), it)
        os.killpg(it.pid, signal.SIGINT)
        said, err = it.communicate(timeout=60)
    assert it.returncode == 130, err
    assert "it is taken up again" in err
    assert "stopped" in said
    assert names_in(out) == {"batch.json", "clip.npz", "clip.npz.state"}

    with program(*words, slow_video=True) as it:
        wait_for(lambda: bool(half_made()), it)
        it.kill()
        it.wait()
        # The worker notices, and the next run waits for it.
        outcome = process(job, replace(work, render=drawn), backend, never)
    assert (outcome.status, outcome.tracked_frames) == ("done", 0)
    assert names_in(out) == {"batch.json", "clip.npz", "clip.npz.state", "clip_hands.mp4"}
    assert (out / "clip_hands.mp4").read_text() == str(CLIP)
    assert (out / "clip.npz").stat().st_mtime_ns == tracked


def test_a_full_disk_costs_no_tracks(clip: Path, work: Work, backend: Backend, tmp_path: Path) -> None:
    job = Job(clip, tmp_path / "t.npz", resume=True)
    work = replace(work, suffixes=CSV)
    with files_no_larger_than(70_000):
        outcome = process(job, work, backend, never)
    assert outcome.status == "failed"
    assert (
        outcome.message == f"{tmp_path / 't.csv'}: cannot be written (File too large); make room, then --resume goes on"
    )
    assert names_in(tmp_path) == {"t.npz", "t.npz.state"}
    outcome = process(job, work, backend, never)
    assert (outcome.status, outcome.tracked_frames, outcome.counts.frames) == ("done", 0, CLIP)


def test_a_full_disk_for_the_manifest_ends_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    # Small files can still be written, the long list of what was done before cannot.
    earlier = {f"{i}.npz": {"recording": "x" * 1000} for i in range(1000)}
    (out / "batch.json").write_text(json.dumps({"format": "two-hands-batch 1", "recordings": earlier}))
    clips = [str(cut(tmp_path / f"{name}.mp4", 0, 5)) for name in ("first", "second")]
    words = ["--video", *clips, "--out", str(out), "--workers", "1"]
    with files_no_larger_than(500_000):
        assert run_demo.main(words) == 2
    said = capfd.readouterr()
    assert said.err.count("batch.json: cannot be written (File too large); make room") == 1
    assert "Traceback" not in said.err
    assert "2 of 2 recordings whole, 10 frames" in said.out
    assert names_in(out) == {"batch.json", "first.npz", "first.npz.state", "second.npz", "second.npz.state"}
    assert run_demo.main([*words, "--resume"]) == 0
    assert names_in(out) == {"batch.json", "first.npz", "second.npz"}
    assert {"first.npz", "second.npz", "7.npz"} <= set(json.loads((out / "batch.json").read_text())["recordings"])

"""Many recordings: names, damage, kills, resume; the tracks are those of the single run, whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import run_demo
from engines.contract import Backend
from engines.errors import UserError
from realtime.batch.checkpoint import Checkpoint, fingerprint, load_checkpoint
from realtime.batch.job import Counts, Job, Work
from realtime.batch.plan import check_outputs, expand, plan
from realtime.batch.recording import process
from realtime.batch.run import batch_settings, run_batch
from realtime.layers import load_settings
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import RECORD, Tracks
from tests.support.engines import one_backend
from tests.support.long_runs import after, holder, never, program, same, wait_for
from tests.support.recordings import ROOT, SAMPLE, cut
from tests.support.video_files import picture, rotate_clockwise, steady, write_video

needs_weights = pytest.mark.skipif(
    not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights"
)


CLIP = 52
"""Frames of the clip: more than between two checkpoints."""
KEPT = 32
"""Frames between two checkpoints."""


@pytest.fixture(scope="module")
def work() -> Work:
    return Work(batch_settings(load_settings(), smooth=False), checkpoint_frames=KEPT)


@pytest.fixture(scope="module")
def backend(work: Work) -> Backend:
    """It is asked once for each frame: most tests track the same ones."""
    return one_backend()(work.settings)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames in which both hands come in, at an uneven rate."""
    return cut(tmp_path_factory.mktemp("clips") / "uneven.mp4", 30, CLIP, steps=(1, 2, 1, 3))


@pytest.fixture(scope="module")
def whole(clip: Path, work: Work, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    """The tracks of an uninterrupted run."""
    return uninterrupted(Job(clip, tmp_path_factory.mktemp("whole") / "t.npz"), work, backend, CLIP)


def uninterrupted(job: Job, work: Work, backend: Backend, frames: int) -> Tracks:
    outcome = process(job, work, backend, never)
    assert (outcome.status, outcome.counts.frames) == ("done", frames)
    assert outcome.counts.both > 12
    return load_tracks(job.output)


SHORT = 24


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip for what begins anew anyway, at an uneven rate."""
    return cut(tmp_path_factory.mktemp("clips") / "short.mp4", 171, SHORT, steps=(1, 2, 1, 3))


@pytest.fixture(scope="module")
def short_whole(short: Path, work: Work, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    return uninterrupted(Job(short, tmp_path_factory.mktemp("short") / "t.npz"), work, backend, SHORT)


def test_names_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def names(*sources: str) -> list[str]:
        jobs = plan([tmp_path / source for source in sources], out, resume=False)
        return [job.output.relative_to(out).as_posix() for job in jobs]

    assert names("a.mp4", "in/b.mkv", "in/c") == ["a.npz", "b.npz", "c.npz"]
    assert names("a.mp4", "a.mkv", "b.mp4") == ["a.mp4.npz", "a.mkv.npz", "b.npz"]
    assert names("x/a.mp4", "y/a.mp4", "y/b.mp4") == ["x/a.mp4.npz", "y/a.mp4.npz", "b.npz"]


def test_patterns_find_files_and_each_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.mp4", "a.mp4", "deep/c.mp4", "odd[1].mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in expand(["a.mp4", "*.mp4", "**/c.mp4", "none.mp4"])]
    assert found == ["a.mp4", "b.mp4", "odd[1].mp4", "deep/c.mp4", "none.mp4"]
    assert [path.name for path in expand(["odd[1].mp4"])] == ["odd[1].mp4"]
    folder = tmp_path / "take [2024]" / "cam[0]"
    folder.mkdir(parents=True)
    (folder / "x1.mp4").touch()
    for word in ("take [2024]/cam[0]/*.mp4", "./take [2024]/**/*.mp4", str(folder / "x[0-9].mp4")):
        assert [path.name for path in expand([word])] == ["x1.mp4"], word
    with pytest.raises(UserError, match=r"\*\.mkv"):
        expand(["*.mkv"])


def test_no_recording_is_ever_written_over(tmp_path: Path, work: Work) -> None:
    sources = [tmp_path / name for name in ("a.mp4", "a_hands.mp4")]
    check_outputs(plan(sources, tmp_path, False), work)
    with pytest.raises(UserError, match="a_hands"):
        check_outputs(plan(sources, tmp_path, False), replace(work, render=lambda *_: None))


@needs_weights
def test_stops_and_resumes_leave_no_trace(
    clip: Path, work: Work, backend: Backend, whole: Tracks, tmp_path: Path
) -> None:
    stopped_and_resumed(Job(clip, tmp_path / "t.npz"), work, backend, (20, 1, 17, CLIP - 38))
    same(load_tracks(tmp_path / "t.npz"), whole)
    assert {path.name for path in tmp_path.iterdir()} == {"t.npz", "t.npz.state"}


@needs_weights
def test_stops_and_resumes_leave_no_trace_where_tracks_are_smoothed(
    short: Path, work: Work, backend: Backend, tmp_path: Path
) -> None:
    settings = batch_settings(load_settings(), smooth=True)
    work = replace(work, settings=settings, smooth=True, checkpoint_frames=SHORT - 8)
    whole = Job(short, tmp_path / "whole.npz")
    process(whole, work, backend, never)
    stopped_and_resumed(Job(short, tmp_path / "t.npz"), work, backend, (6, 1, 11, SHORT - 18))
    same(load_tracks(tmp_path / "t.npz"), load_tracks(whole.output))
    names = {path.name for path in (whole.output, whole.state)}
    assert {path.name for path in tmp_path.iterdir()} - names == {"t.npz", "t.npz.state"}


def stopped_and_resumed(job: Job, work: Work, backend: Backend, parts: tuple[int, ...]) -> None:
    """Track so many frames at a time; the last part reaches the end."""
    outcomes = [process(job, work, backend, after(parts[0]))]
    for frames in (*parts[1:-1], 1000):
        outcomes.append(process(replace(job, resume=True), work, backend, after(frames)))
    assert [one.status for one in outcomes] == ["stopped"] * (len(parts) - 1) + ["done"]
    assert [one.tracked_frames for one in outcomes] == list(parts)


@needs_weights
def test_a_part_of_another_run_is_no_place_to_go_on(
    short: Path, work: Work, backend: Backend, short_whole: Tracks, tmp_path: Path
) -> None:
    job = Job(short, tmp_path / "t.npz")
    other = replace(work, settings=load_settings(None, ["engine.threads=1", "tracker.lose_after_s=0.07"]))
    process(job, other, backend, after(10))
    outcome = process(replace(job, resume=True), work, backend, never)
    assert (outcome.status, outcome.tracked_frames) == ("done", SHORT)
    assert any("begins anew" in note for note in outcome.notes)
    same(load_tracks(job.output), short_whole)


@needs_weights
def test_frames_behind_the_last_checkpoint_are_done_again(
    short: Path, work: Work, backend: Backend, short_whole: Tracks, tmp_path: Path
) -> None:
    """A kill leaves a part that is longer than the checkpoint says, and half a record."""
    job = Job(short, tmp_path / "t.npz", resume=True)
    process(job, work, backend, after(12))
    state = job.state.read_bytes()
    process(job, work, backend, after(6))
    part = job.part(smooth=False)
    part.write_bytes(part.read_bytes()[:-100])
    job.state.write_bytes(state)
    outcome = process(job, work, backend, never)
    assert (outcome.status, outcome.tracked_frames) == ("done", SHORT - 12)
    same(load_tracks(job.output), short_whole)


@needs_weights
def test_a_broken_checkpoint_means_a_new_beginning(
    short: Path, work: Work, backend: Backend, short_whole: Tracks, tmp_path: Path
) -> None:
    job = Job(short, tmp_path / "t.npz", resume=True)
    process(job, work, backend, after(10))
    job.state.write_bytes(job.state.read_bytes()[:500])
    assert process(job, work, backend, never).tracked_frames == SHORT
    same(load_tracks(job.output), short_whole)


@needs_weights
def test_a_checkpoint_that_fits_no_pipeline_is_a_warning_and_a_new_beginning(
    short: Path, work: Work, backend: Backend, short_whole: Tracks, tmp_path: Path
) -> None:
    """Sound as JSON, but what the pipeline remembered is that of another version, or damaged."""
    job = Job(short, tmp_path / "t.npz", resume=True)
    process(job, work, backend, after(10))
    kept = json.loads(job.state.read_text())
    job.state.write_text(json.dumps(kept | {"pipeline": kept["pipeline"] | {"tracker": {"tracks": {"left": 3}}}}))
    outcome = process(job, work, backend, never)
    assert (outcome.status, outcome.tracked_frames) == ("done", SHORT)
    assert any("tracks.left" in note and "begins anew" in note for note in outcome.notes)
    same(load_tracks(job.output), short_whole)


def test_checkpoints_are_read_with_care(tmp_path: Path) -> None:
    path = tmp_path / "c.state"
    kept = Checkpoint("id", "with", Counts(5, right=2, last_s=0.5), 6, pipeline={"kind": "dict", "items": []})
    kept.save(path)
    assert load_checkpoint(path) == kept
    good = json.loads(path.read_text())
    for change in ({"format": "x"}, {"next_index": -1}, {"next_index": 4}, {"next_index": "6"}, {"more": 1}):
        path.write_text(json.dumps(good | change))
        assert load_checkpoint(path) is None
    for wrong in (
        {"frames": -1},
        {"frames": 9},
        {"left": True},
        {"last_s": "0"},
        {"last_s": float("nan")},
        {"more": 1},
    ):
        path.write_text(json.dumps(good | {"counts": good["counts"] | wrong}))
        assert load_checkpoint(path) is None
    for text in ("", "[]", "{", "[" * 10_000):
        path.write_text(text)
        assert load_checkpoint(path) is None
    assert load_checkpoint(tmp_path / "none") is None


def test_a_recording_that_changed_is_another_one(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"1")
    before = fingerprint(file)
    file.write_bytes(b"12")
    assert fingerprint(file) != before
    (tmp_path / "pictures").mkdir()
    empty = fingerprint(tmp_path / "pictures")
    (tmp_path / "pictures" / "1.png").write_bytes(b"1")
    assert fingerprint(tmp_path / "pictures") != empty


@needs_weights
def test_time_stamps_and_rotation_are_the_files_own(
    clip: Path, whole: Tracks, work: Work, backend: Backend, tmp_path: Path
) -> None:
    steps = np.tile([1, 2, 1, 3], CLIP)[: CLIP - 1]
    np.testing.assert_allclose(np.diff(whole.t_s), steps / 30, atol=1e-3)
    turned = write_video(tmp_path / "turned.mp4", steady(10), (64, 48))
    rotate_clockwise(turned)
    process(Job(turned, tmp_path / "turned.npz"), work, backend, never)
    assert load_tracks(tmp_path / "turned.npz").size_px.tolist() == [48, 64]


@needs_weights
def test_a_file_that_ends_early_says_so(work: Work, backend: Backend, tmp_path: Path) -> None:
    cut(tmp_path / "whole.mkv", 30, 100)
    broken = tmp_path / "broken.mkv"
    data = (tmp_path / "whole.mkv").read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    outcome = process(Job(broken, tmp_path / "t.npz"), work, backend, never)
    assert outcome.status == "damaged"
    assert 20 < outcome.counts.frames < 80
    assert outcome.counts.frames + outcome.damaged + outcome.missing == pytest.approx(100, abs=8)
    assert "ends early" in outcome.message


@needs_weights
def test_pictures_of_another_view_end_a_recording_and_what_came_before_is_kept(
    work: Work, backend: Backend, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, size in enumerate([(64, 48), (64, 48), (48, 64)]):
        cv2.imwrite(str(folder / f"{i}.png"), picture(i, size))
    outcome = process(Job(folder, tmp_path / "t.npz"), replace(work, suffixes=(".csv",)), backend, never)
    assert (outcome.status, outcome.counts.frames, outcome.missing) == ("damaged", 2, 1)
    assert "another view" in outcome.notes[0]
    assert load_tracks(tmp_path / "t.npz").frame_index.tolist() == [0, 1]
    assert (tmp_path / "t.csv").exists()


def test_a_name_that_leaves_no_room_for_an_ending_is_to_be_changed(
    work: Work, backend: Backend, tmp_path: Path
) -> None:
    long = write_video(tmp_path / f"{'y' * 250}.mp4", steady(3), (64, 48))
    outcome = process(plan([long], tmp_path / "out", False)[0], work, backend, never)
    assert outcome.status == "failed"
    assert outcome.message.endswith("its name is too long for the files that are made from it; rename the recording")


def demo(*words: str | Path) -> list[str]:
    return [str(word) for word in words]


@needs_weights
def test_videos_and_pictures_damage_and_the_table(
    short: Path, short_whole: Tracks, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clips = tmp_path / "clips"
    (clips / "pictures").mkdir(parents=True)
    shutil.copy2(short, clips / "a.mp4")
    (clips / "text.mp4").write_text("no video")
    with av.open(str(SAMPLE)) as container:
        for i, frame in zip(range(8), container.decode(video=0), strict=False):
            frame.to_image().save(clips / "pictures" / f"{i}.png")
    (clips / "pictures" / "5.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    words = demo("--video", clips / "*", "--out", out, "--workers", "1", "--format", "csv", "--save-video", "--no-3d")
    assert run_demo.main(words) == 2
    said = capfd.readouterr()
    assert re_line(said.out, "a.mp4").split()[1] == str(SHORT)
    assert re_line(said.out, "clips/pictures").split()[1] == "7"
    assert "failed: is no video" in re_line(said.out, "text.mp4")
    assert f"2 of 3 recordings whole, {SHORT + 7} frames" in said.out
    assert "Traceback" not in said.err
    tracks = load_tracks(out / "a.npz")
    same(replace(tracks, settings=short_whole.settings), short_whole)
    assert load_tracks(out / "pictures.npz").frame_index.tolist() == [0, 1, 2, 3, 4, 6, 7]
    assert len((out / "a.csv").read_text().splitlines()) == SHORT + 1
    with av.open(str(out / "a_hands.mp4")) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(shown, short_whole.t_s, atol=1e-3)

    (out / "a.csv").unlink()
    written = (out / "a.npz").stat().st_mtime_ns, (out / "pictures.npz").stat().st_mtime_ns
    assert run_demo.main([*words, "--resume"]) == 2
    said = capfd.readouterr()
    assert "done before" in re_line(said.out, "clips/pictures")
    assert written == ((out / "a.npz").stat().st_mtime_ns, (out / "pictures.npz").stat().st_mtime_ns)
    assert (out / "a.csv").exists()
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["a.npz", "a.csv", "a_hands.mp4", "pictures.npz", "pictures.csv", "pictures_hands.mp4", "batch.json"]
    )


def re_line(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if name in line)


@needs_weights
@pytest.mark.parametrize("whom", ["the program", "the worker"])
def test_a_kill_costs_nothing(clip: Path, whole: Tracks, tmp_path: Path, whom: str) -> None:
    first = cut(tmp_path / "first.mp4", 0, 5)
    out, part = tmp_path / "out", tmp_path / "out" / "uneven.npz.part"
    with program("--video", first, clip, "--out", out, "--workers", "1", checkpoint_frames=KEPT) as it:
        wait_for(lambda: part.exists() and part.stat().st_size > (KEPT + 4) * RECORD.itemsize + 4096, it)
        if whom == "the worker":
            os.kill(holder(part), signal.SIGKILL)
            assert it.wait(60) == 0
        else:
            it.kill()
    if whom == "the program":
        assert part.exists()
        assert not (out / "uneven.npz").exists()
        finished = (out / "first.npz").stat().st_mtime_ns
        assert run_demo.main(demo("--video", first, clip, "--out", out, "--workers", "1", "--resume")) == 0
        assert (out / "first.npz").stat().st_mtime_ns == finished
    same(load_tracks(out / "uneven.npz"), whole)
    assert sorted(path.name for path in out.iterdir()) == ["batch.json", "first.npz", "uneven.npz"]
    assert json.loads((out / "batch.json").read_text())["recordings"]["uneven.npz"]["frames"] == CLIP


@needs_weights
def test_ctrl_c_stops_within_a_moment_and_says_how_to_go_on(clip: Path, tmp_path: Path) -> None:
    long = cut(tmp_path / "long.mp4", 0, 300)
    out, part = tmp_path / "out", tmp_path / "out" / "long.npz.part"
    with program("--video", long, "--out", out) as it:
        wait_for(lambda: part.exists() and part.stat().st_size > 20_000, it)
        os.killpg(it.pid, signal.SIGINT)
        said, err = it.communicate(timeout=60)
    assert it.returncode == 130, err
    assert "--resume goes on" in err
    assert "stopped" in said
    assert load_checkpoint(out / "long.npz.state") is not None
    noted = json.loads((out / "batch.json").read_text())["recordings"]["long.npz"]
    assert noted["status"] == "stopped"
    assert noted["frames"] > 0


def test_the_end_is_a_user_error_where_all_recordings_suffer(tmp_path: Path, work: Work) -> None:
    jobs = plan([SAMPLE], tmp_path / "out", False)
    with pytest.raises(UserError, match="weights"):
        broken = work.settings.model_copy(
            update={"engine": work.settings.engine.model_copy(update={"weights": str(tmp_path / "none.safetensors")})}
        )
        run_batch(jobs, replace(work, settings=broken), 1, never, print)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--video", "a.mp4", "b.mp4"], "--out"),
        (["--video", "*.mp4"], "--out"),
        (["--camera", "0", "--out", "x"], "--out"),
        (["--video", "a.mp4", "--resume"], "--resume"),
        (["--video", "a.mp4", "--offline-smoothing"], "--offline-smoothing"),
        (["--video", "a.mp4", "--save-video"], "--save-video"),
        (["--video", "a.mp4", "--out", "x", "--save-video", "v.mp4"], "--save-video"),
        (["--video", "a.mp4", "--out", "x", "--save-tracks", "t.npz"], "--save-tracks"),
        (["--video", "a.mp4", "--out", "x", "--workers", "0"], "0 is no number"),
        (["--video", "a.mp4", "--out", "x", "--format", "fbx"], "fbx"),
    ],
)
def test_words_that_do_not_go_together(words: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_demo.main(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert named in said

"""The whole program: the sample clip end to end, live, signals, windows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import run_demo
from engines.contract import Backend, Say
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES, WRISTS
from realtime.batch.job import Job, Work
from realtime.batch.recording import process
from realtime.batch.run import batch_settings
from realtime.camera_space.calibration_file import save_intrinsics
from realtime.cli.options import parse
from realtime.config import Settings
from realtime.layers import load_settings
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import RECORD, Tracks
from tests.support.engines import one_backend
from tests.support.long_runs import never
from tests.support.recordings import cut
from tests.support.video_files import write_video
from tests.support.virtual_display import xvfb_run
from training.sequences import compare, load_truth

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "two_hands.mp4"
PIPELINE_STAGES = ["read", "detect", "crop", "network", "fuse", "latency"]

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights"
)


@pytest.fixture(scope="module")
def opened() -> Callable[[Settings, Say], Backend]:
    """Opens the engine once for all runs in this process."""
    return one_backend()


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch, opened: Callable[[Settings, Say], Backend]) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(run_demo, "backend_of", opened)


def pictures_in(video: Path) -> int:
    """How many pictures of a video can be decoded."""
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


@dataclass(frozen=True)
class SampleRun:
    """What the program made of the sample clip, with the camera that it was rendered for."""

    folder: Path
    files: dict[str, str]
    """Options and the names of their files."""
    tracks: Tracks
    facts: dict[str, Any]
    said: str


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory, opened: Callable[[Settings, Say], Backend]) -> SampleRun:
    """One run for all that is judged of it: it takes eight seconds."""
    folder = tmp_path_factory.mktemp("sample")
    save_intrinsics(folder / "camera.json", load_truth(SAMPLE.with_suffix(".npz")).intrinsics, (640, 480))
    run = ["--video", SAMPLE, "--headless", "--no-3d", "--profile", "--intrinsics", folder / "camera.json"]
    files = {"--save-tracks": "t.npz", "--save-video": "v.mp4", "--profile-json": "p.json"}
    run += [word for option, name in files.items() for word in (option, folder / name)]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as said:
        patch.delenv("DISPLAY", raising=False)
        patch.setattr(run_demo, "backend_of", opened)
        assert run_demo.main([str(word) for word in run]) == 0
    facts = json.loads((folder / "p.json").read_text())
    return SampleRun(folder, files, load_tracks(folder / "t.npz"), facts, said.getvalue())


def test_the_sample_clip_end_to_end(sample_run: SampleRun) -> None:
    truth = load_truth(SAMPLE.with_suffix(".npz"))
    tracks, facts, out = sample_run.tracks, sample_run.facts, sample_run.said
    frames = len(truth.joints_px)
    assert len(tracks) == pictures_in(sample_run.folder / "v.mp4") == frames
    figures = compare([tracks.hand_frame(i) for i in range(len(tracks))], truth)
    assert figures.frames_both_in_view > 100
    assert figures.both_tracked >= 0.97
    assert figures.exchanged_frames <= 2

    assert facts["frames"] == frames
    assert facts["frames_with_both_hands"] == int((tracks.root_depth_from > 0).all(axis=1).sum())
    assert list(facts["timing"]["stages"]) == [*PIPELINE_STAGES, "tracks", "show", "age"]
    assert [line.split()[0] for line in out.splitlines()][: len(PIPELINE_STAGES) + 1] == ["stage", *PIPELINE_STAGES]
    assert f"{facts['frames_per_s']:.1f} frames a second, end to end" in out
    assert f"{facts['latency_p50_ms']:.1f} ms p50, {facts['latency_p95_ms']:.1f} ms p95, capture to result" in out
    assert all(str(sample_run.folder / name) in out for name in sample_run.files.values())


def test_the_rate_of_a_recording_counts_reading_tracking_and_writing(sample_run: SampleRun) -> None:
    facts = sample_run.facts
    stages = {name: stage["mean_ms"] for name, stage in facts["timing"]["stages"].items()}
    parts = sum(ms for name, ms in stages.items() if name not in ("latency", "tracks", "show", "age"))
    assert parts <= stages["latency"] + 1e-6
    # A frame's interval holds all it took; the last frame's views are not between two results.
    count = facts["timing"]["frames"]
    whole_ms = stages["latency"] + stages["tracks"] + stages["show"]
    assert 1e3 / facts["frames_per_s"] * (count - 1) >= 0.9 * whole_ms * (count - 2)


def test_offline_smoothing_does_better_than_live_on_the_sample(
    sample_run: SampleRun, opened: Callable[[Settings, Say], Backend], tmp_path: Path
) -> None:
    """Over the frames in which hands come in, turn and open."""
    frames = 160
    camera = ["intrinsics.source=file", f"intrinsics.file={sample_run.folder / 'camera.json'}"]
    work = Work(batch_settings(load_settings(None, camera), smooth=True), smooth=True)
    job = Job(cut(tmp_path / "clip.mp4", 0, frames), tmp_path / "t.npz")
    assert process(job, work, opened(load_settings(), print), never).status == "done"
    live, offline = sample_run.tracks, load_tracks(job.output)
    with np.load(SAMPLE.with_suffix(".npz"), allow_pickle=False) as file:
        wanted, in_view = file["joints_cam_mm"][:frames], np.repeat(file["fully_in_view"][:frames], 21, axis=1)
        intrinsics = Intrinsics(*map(float, file["intrinsics_px"]))
    figures = []
    for tracks in (live, offline):
        joints = np.where(in_view[..., None], tracks.joints_cam_mm[:frames], np.nan)
        hands = [joints[:, HAND_SLICES[side]] - wanted[:, HAND_SLICES[side]] for side in SIDES]
        shape = np.nanmean([np.linalg.norm(hand - hand[:, 20:], axis=-1) for hand in hands])
        apart = np.linalg.norm(np.diff((joints - wanted)[:, list(WRISTS)], axis=1), axis=-1)
        shaking = np.linalg.norm(np.diff(joints - wanted, 2, axis=0), axis=-1)
        off_px = tracks.joints_px[:frames] - project(wanted, intrinsics)
        pixels = np.linalg.norm(np.where(in_view[..., None], off_px, np.nan), axis=-1)
        figures.append([np.nanmean(value) for value in (pixels, shape, apart, shaking)])
    better = np.array(figures[1]) / np.array(figures[0])
    assert (better < [0.9, 0.97, 0.9, 0.5]).all(), better
    assert (offline.root_depth_from > 0).sum() >= (live.root_depth_from[:frames] > 0).sum()


def test_a_clip_as_a_camera_drops_frames_and_counts_them(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    clip = write_video(tmp_path / "fast.mp4", list(range(0, 400, 2)), (320, 240))
    run = ["--video", clip, "--headless", "--realtime", "--save-tracks", tmp_path / "t.npz"]
    assert run_demo.main([str(word) for word in [*run, "--profile-json", tmp_path / "p.json"]]) == 0
    facts = json.loads((tmp_path / "p.json").read_text())
    tracks = load_tracks(tmp_path / "t.npz")
    assert facts["live"] is True
    assert facts["frames_dropped"] == tracks.dropped.sum() > 0
    assert facts["frames"] + facts["frames_dropped"] == 200
    assert (np.diff(tracks.t_s) > 0).all()
    assert f"frames      {len(tracks)}, {facts['frames_dropped']} dropped" in capfd.readouterr().out


def test_the_demo_without_a_display_writes_files_and_stops_in_time(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_demo, "DEMO_OUTPUT", tmp_path / "demo")
    assert run_demo.main(["--demo", "--no-3d", "--seconds", "0.3"]) == 0
    saved = len(load_tracks(tmp_path / "demo" / "tracks.npz"))
    assert 0 < saved < 300
    assert pictures_in(tmp_path / "demo" / "overlay.mp4") == saved
    assert f"frames      {saved}\n" in capfd.readouterr().out


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_words_that_only_tell(capfd: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run_demo.main([word])
    assert ended.value.code == 0
    out = capfd.readouterr().out
    if word == "--version":
        assert re.match(r"two-hands-live \d+\.\d+\.\d+, python 3\.\d+\.\d+, ", out)
        assert "mediapipe" in out
    else:
        examples = out.partition("examples:")[2]
        assert examples.count("python run_demo.py") >= 3
        assert max(len(line) for line in out.splitlines()) <= 120


@contextmanager
def running(out: Path, *words: str, frames: int = 30) -> Iterator[subprocess.Popen[str]]:
    """The program on the sample clip, which has 300 frames, in a process of its own, from when it has saved some."""
    part = out / "t.npz.part"
    files = ("--save-tracks", str(out / "t.npz"), "--save-video", str(out / "v.mp4"), "--no-3d")
    # A job that a shell put into the background ignores SIGINT, and what it starts does too.
    command = [
        "env",
        "--default-signal=INT",
        sys.executable,
        "run_demo.py",
        "--video",
        str(SAMPLE),
        "--headless",
        *files,
        *words,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while process.poll() is None and not (part.exists() and part.stat().st_size > frames * RECORD.itemsize):
                time.sleep(0.005)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "times", "words", "code"),
    [(signal.SIGINT, 1, (), 130), (signal.SIGTERM, 3, (), 130), (signal.SIGINT, 1, ("--realtime",), 0)],
    ids=["Ctrl-C in a recording", "impatient kill of a recording", "Ctrl-C live"],
)
def test_a_signal_ends_the_run_with_everything_saved(
    tmp_path: Path, number: signal.Signals, times: int, words: tuple[str, ...], code: int
) -> None:
    with running(tmp_path, *words) as process:
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.02)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    tracks = load_tracks(tmp_path / "t.npz")
    assert not (tmp_path / "t.npz.part").exists()
    assert 20 < len(tracks) < 300
    assert re.search(rf"^frames +{len(tracks)}\b", out, re.MULTILINE)
    assert str(tmp_path / "v.mp4") in out
    shown = pictures_in(tmp_path / "v.mp4")
    # Live, the window's thread may skip results; a recording shows each.
    assert 0 < shown <= len(tracks) if words else shown == len(tracks)


def test_a_run_that_is_killed_leaves_tracks_and_video_readable(tmp_path: Path) -> None:
    with running(tmp_path, frames=70) as process:  # a piece of the video is written by then
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    tracks = load_tracks(tmp_path / "t.npz.part")
    assert len(tracks) > 50
    assert has_hands(tracks)
    assert 0 < pictures_in(tmp_path / "v.part.mp4") <= len(tracks) + 1


def has_hands(tracks: Tracks) -> bool:
    """Whether any hand was found."""
    return bool((tracks.root_depth_from > 0).any())


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
@pytest.mark.parametrize("title", ["two hands", "two hands: camera"])
def test_closing_either_window_ends_the_run(tmp_path: Path, title: str) -> None:
    run = f"{sys.executable} run_demo.py --demo --save-tracks {tmp_path / 't.npz'}"
    close = f"{sys.executable} {ROOT / 'tests' / 'support' / 'close_window.py'} '{title}'"
    # on a busy machine a window is there long before the first frame
    part = f"{tmp_path / 't.npz.part'}"
    tracked = f"until [ $(stat -c %s {part} 2> /dev/null || echo 0) -gt {10 * RECORD.itemsize} ]; do sleep 0.05; done"
    script = f"{run} & {tracked}; {close} && wait $!"
    done = subprocess.run(
        [*xvfb_run(), "bash", "-c", script],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"^frames", done.stdout, re.MULTILINE)
    # Closed as soon as it appeared: the clip was not played to its end.
    assert len(load_tracks(tmp_path / "t.npz")) < 250


@pytest.mark.parametrize("module", ["json", "dataclasses", "numpy", "cv2"])
def test_ctrl_c_while_the_program_is_read_is_quiet(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt as error:\n    raise ImportError('as numpy makes of it') from error\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(ROOT / "run_demo.py"), "--demo"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also where the tests run in a shell's background
    done = subprocess.run(
        command, env=environment, preexec_fn=heard, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize(("out", "said"), [("file", "is a file; name a folder"), ("file/x", "is no folder")])
def test_a_folder_that_cannot_be_one_is_refused_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], out: str, said: str
) -> None:
    (tmp_path / "file").touch()
    assert run_demo.main(["--video", str(SAMPLE), "--out", str(tmp_path / out)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line


def test_without_the_dependencies_the_way_to_them_is_named(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n")
    command = [sys.executable, "run_demo.py", "--demo"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: numpy is not installed in this Python: run make setup, then .venv/bin/python"
    ]


@pytest.mark.parametrize(
    ("words", "takes"),
    [
        ("", False),
        ("--headless --profile", False),
        ("--save-video v.mp4", False),
        ("--save-tracks t.npz", True),
        ("--mcap t.mcap", True),
        ("--osc 127.0.0.1:9000", True),
        ("--vmc 127.0.0.1:39539", True),
        ("--websocket 8765", True),
    ],
)
def test_rotations_are_worked_out_for_files_and_streams(words: str, takes: bool) -> None:
    assert run_demo._takes_rotations(parse(["--video", str(SAMPLE), *words.split()])) == takes

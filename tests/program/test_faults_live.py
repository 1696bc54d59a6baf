"""What goes wrong while a live run goes on: cameras, viewers, clocks, disks. Nothing tracked is lost, nothing hangs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import run_demo
from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.geometry.pinhole import Intrinsics
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.config import CameraSettings
from realtime.layers import load_settings
from realtime.live import Result, run_live
from realtime.messages import Frame
from realtime.pipeline import HandPipeline
from realtime.sinks import Each, Sink
from realtime.sources.camera import CameraSource
from realtime.sources.live_source import ReplaySource
from realtime.sources.recording import VideoSource
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import RECORD
from realtime.tracks.writer import TrackWriter
from tests.program.test_faults import files_no_larger_than, refused
from tests.realtime.test_live import capture_threads, see_nothing
from tests.support.network_camera import SIZE, NetworkCamera
from tests.support.recordings import cut
from tests.support.video_files import steady, write_video

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "two_hands.mp4"
WAIT_S = 60.0
"""No test needs so long; a hang becomes a failure."""

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights"
)


@pytest.fixture
def camera() -> Iterator[NetworkCamera]:
    camera = NetworkCamera()
    yield camera
    camera.close()


def camera_settings(reconnect_s: float = 20.0) -> CameraSettings:
    return CameraSettings(width=640, height=480, fps=30, reconnect_s=reconnect_s, mirrored=False)


def run_until(
    source: CameraSource, out: Path, on_result: Callable[[Result], None], done: Callable[[], bool]
) -> list[Result]:
    """Run live without a network until `done()`, the track file written as the program does; all results."""
    results: list[Result] = []
    end_s = time.monotonic() + WAIT_S
    with source, TrackWriter(out, Intrinsics(1, 1, 0, 0), SIZE, "{}", "{}") as tracks:

        def keep(result: Result) -> None:
            results.append(result)
            tracks.append(result.hands)

        run_live(source, see_nothing, on_result, lambda: done() or time.monotonic() > end_s, keep)
    assert time.monotonic() < end_s, "the run hangs"
    return results


def test_a_camera_that_is_lost_and_comes_back_goes_on_in_the_same_tracks(camera: NetworkCamera, tmp_path: Path) -> None:
    source = CameraSource(camera.address, camera_settings())
    lost_s: list[float] = []

    def unplug_once(result: Result) -> None:
        if not lost_s and result.frame.index >= 5:
            lost_s.append(time.monotonic())
            camera.unplug()
            threading.Timer(0.5, camera.plug).start()

    seen: list[float] = []

    def watch(result: Result) -> None:
        unplug_once(result)
        seen.append(result.frame.t_capture_s)

    results = run_until(source, tmp_path / "t.npz", watch, lambda: bool(lost_s) and seen[-1] > lost_s[0] + 0.4)
    tracks = load_tracks(tmp_path / "t.npz")
    assert tracks.frame_index.tolist() == [result.frame.index for result in results]
    assert (np.diff(tracks.t_s) > 0).all()
    assert (tracks.t_s < lost_s[0]).sum() > 2
    assert (tracks.t_s > lost_s[0] + 0.4).sum() > 0
    assert capture_threads() == []


def test_a_camera_that_stalls_ends_with_the_run_and_everything_is_saved(camera: NetworkCamera, tmp_path: Path) -> None:
    """The driver's call does not return; the program must end all the same, so it is run as a process."""
    out = tmp_path / "t.npz"
    words = ["--camera", camera.address, "--headless", "--seconds", "1", "--save-tracks", str(out)]
    with subprocess.Popen(
        [sys.executable, "run_demo.py", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        part = out.with_name(out.name + ".part")
        end_s = time.monotonic() + WAIT_S
        while run.poll() is None and not (part.exists() and part.stat().st_size > 4_000) and time.monotonic() < end_s:
            time.sleep(0.01)
        camera.stalled.set()
        try:
            printed, errors = run.communicate(timeout=WAIT_S)
        finally:
            run.kill()
    assert run.returncode == 0, errors
    assert "Traceback" not in errors
    assert "WARN" not in errors
    tracks = load_tracks(out)
    assert len(tracks) > 0
    assert f"frames      {len(tracks)}" in printed


def test_pictures_that_cannot_be_decoded_are_passed_over(camera: NetworkCamera, tmp_path: Path) -> None:
    source = CameraSource(camera.address, camera_settings())
    begun_s: list[float] = []

    def spoil_for_a_moment(result: Result) -> None:
        if not begun_s and result.frame.index >= 3:
            begun_s.append(time.monotonic())
            camera.spoiled.set()
            threading.Timer(0.3, camera.spoiled.clear).start()

    seen: list[float] = []

    def watch(result: Result) -> None:
        spoil_for_a_moment(result)
        seen.append(result.frame.t_capture_s)

    results = run_until(source, tmp_path / "t.npz", watch, lambda: bool(begun_s) and seen[-1] > begun_s[0] + 0.4)
    assert len(load_tracks(tmp_path / "t.npz")) == len(results)
    assert all(result.frame.image_bgr.shape == (SIZE[1], SIZE[0], 3) for result in results)


def test_a_slow_viewer_holds_nothing_up(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", steady(40, 50))
    shown: list[int] = []
    kept: list[int] = []

    def slow(result: Result) -> None:
        shown.append(result.frame.index)
        time.sleep(0.2)

    with ReplaySource(clip) as source:
        summary = run_live(source, see_nothing, slow, on_every_result=lambda result: kept.append(result.frame.index))
        dropped = source.dropped
    assert len(kept) == 40 - dropped
    assert len(kept) > 2 * len(shown)
    assert summary.results_skipped == len(kept) - len(shown)
    assert shown == sorted(set(shown) & set(kept))
    assert shown[-1] == kept[-1] == 39


def dying_view(*_: object) -> Sink:
    """Breaks down at its twentieth picture, as a window whose graphics driver resets."""
    shown = iter(range(19))

    def take(_: Result) -> None:
        if next(shown, None) is None:
            raise RuntimeError("the window is gone")

    return Each(take)


@pytest.mark.parametrize("words", [[], ["--realtime"]], ids=["recording", "live"])
def test_a_viewer_that_breaks_down_ends_the_run_with_everything_saved(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(run_demo, "open_video", dying_view)
    out = tmp_path / "t.npz"
    run = ["--video", str(SAMPLE), "--headless", "--save-tracks", str(out), "--save-video", str(tmp_path / "v.mp4")]
    assert run_demo.main([*run, *words]) == 1
    captured = capfd.readouterr()
    assert captured.err.splitlines()[-1].startswith("internal error: RuntimeError: the window is gone")
    assert "Traceback" not in captured.err
    assert len(load_tracks(out)) >= 20
    assert str(out) in captured.out
    assert capture_threads() == []


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_a_screen_that_goes_away_loses_no_tracks(tmp_path: Path) -> None:
    """Xlib ends the whole process when its server dies; what was tracked lies in the part."""
    reader, writer = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x1024x24"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as told:
        display = f":{told.readline().strip()}"
    out = tmp_path / "t.npz"
    part = out.with_name(out.name + ".part")
    command = [sys.executable, "run_demo.py", "--demo", "--save-tracks", str(out)]
    environment = {**os.environ, "DISPLAY": display}
    run = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        end_s = time.monotonic() + WAIT_S
        while (
            run.poll() is None
            and not (part.exists() and part.stat().st_size > 30 * RECORD.itemsize)
            and time.monotonic() < end_s
        ):
            time.sleep(0.01)
        screen.kill()
        _, errors = run.communicate(timeout=WAIT_S)
    finally:
        run.kill()
        screen.kill()
        screen.wait()
    assert run.returncode != 0
    assert "Traceback" not in errors
    assert len(load_tracks(out if out.exists() else part)) > 20


def test_a_clock_that_jumps_disturbs_a_moment_only(tmp_path: Path) -> None:
    """Forward by an hour, back by a minute, and standing still, as stamps of cameras and damaged files do."""
    settings = load_settings(None, ["engine.threads=1"])
    pipeline = HandPipeline(
        settings, open_backend(EngineRequest(threads=1)), partial(resolve_intrinsics, settings.intrinsics)
    )
    jumps_s = {20: 3600.0, 35: -60.0, 50: 0.0}
    found, offset_s = [], 0.0
    with VideoSource(cut(tmp_path / "clip.mp4", 171, 65)) as source:
        for frame in source:
            offset_s += jumps_s.get(frame.index, 0.0)
            stamp_s = frame.t_capture_s + offset_s if frame.index < 50 else offset_s + 50 / 30
            hands = pipeline(Frame(frame.index, stamp_s, frame.image_bgr)).hands
            assert all(np.isfinite(hand.joints_cam_mm).all() and np.isfinite(hand.joints_px).all() for hand in hands)
            found.append(len(hands))
    pipeline.close()
    assert sum(count == 2 for count in found[5:]) >= 0.9 * len(found[5:])


def test_a_full_disk_at_the_end_names_the_file(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    clip = write_video(tmp_path / "clip.mp4", steady(40), (160, 120))
    words = ("--video", clip, "--headless")
    with files_no_larger_than(2_000):
        line = refused(capfd, *words, "--trace", trace)
    assert f"{trace}: the trace cannot be written" in line


def test_settings_of_a_damaged_profile_are_one_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_bytes(b"hand_length_mm: [\xff\xfe")
    line = refused(capfd, "--video", SAMPLE, "--headless", "--profile-file", profile)
    assert str(profile) in line
    assert json.dumps(line).isascii()

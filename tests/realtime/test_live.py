"""The live loop with real threads and a replayed video, and the recorded loop."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from realtime.config import CameraSettings
from realtime.live import Result, run_live, run_recorded
from realtime.messages import Frame, HandFrame
from realtime.sources.camera import CameraSource
from realtime.sources.image_folder import ImageFolderSource
from realtime.sources.live_source import ReplaySource
from realtime.sources.recording import VideoSource
from tests.support.network_camera import NetworkCamera
from tests.support.video_files import frame_of, picture, steady, write_video

SIZE = (64, 48)
ROOT = Path(__file__).parents[2]


def see_nothing(frame: Frame) -> HandFrame:
    """Find no hands."""
    return HandFrame(frame.index, frame.t_capture_s, (), Intrinsics(1, 1, 0, 0), SIZE, stage_ms={"network": 1.0})


def see_slowly(frame: Frame) -> HandFrame:
    time.sleep(0.03)
    return see_nothing(frame)


def capture_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name in ("capture", "inference")]


def test_slow_pipeline_skips_frames_and_says_how_many(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(40, 100))
    shown: list[Result] = []
    every: list[Result] = []
    with ReplaySource(path) as source:
        summary = run_live(source, see_slowly, shown.append, on_every_result=every.append)
    indices = [r.hands.index for r in every]
    assert indices == sorted(set(indices))
    assert indices[-1] == 39
    assert sum(r.hands.dropped for r in every) + len(every) == 40
    assert summary.frames_dropped == 40 - len(every) > 0
    assert summary.results == len(shown)
    assert summary.results_skipped == len(every) - len(shown)
    assert capture_threads() == []


def test_frame_result_and_time_belong_together(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(20, 60))
    results: list[Result] = []
    with ReplaySource(path) as source:
        run_live(source, see_nothing, results.append)
    for result in results:
        assert frame_of(result.frame.image_bgr) == result.frame.index == result.hands.index
        assert result.hands.t_capture_s == result.frame.t_capture_s <= result.t_done_s
        assert result.latency_ms == pytest.approx((result.t_done_s - result.frame.t_capture_s) * 1e3)
        assert result.hands.stage_ms == {"network": 1.0}


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_replayed_frames_bear_the_time_at_which_they_were_due(tmp_path: Path, speed: float) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 40, 50, 130, 200, 280])
    with VideoSource(path) as source:
        video_s = [frame.t_capture_s for frame in source]
    before_s = time.monotonic()
    starts_s = []
    with ReplaySource(path, speed) as source:
        for frame in source:
            assert before_s <= frame.t_capture_s <= time.monotonic()
            starts_s.append(frame.t_capture_s - video_s[frame.index] / speed)
    assert len(starts_s) > 1
    assert starts_s == pytest.approx([starts_s[0]] * len(starts_s), abs=1e-6)


def test_callbacks_run_in_the_callers_thread(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(5))
    names: set[str] = set()

    def note(_: object = None) -> bool:
        names.add(threading.current_thread().name)
        return False

    with ReplaySource(path) as source:
        run_live(source, see_nothing, note, note)
    assert names == {threading.current_thread().name}


def test_should_stop_ends_an_endless_run(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 33, 3_600_000])
    asked = 0

    def third_time() -> bool:
        nonlocal asked
        asked += 1
        return asked >= 3

    with ReplaySource(path) as source:
        run_live(source, see_nothing, lambda _: None, third_time)
    assert asked == 3
    assert capture_threads() == []


def break_down(frame: Frame) -> HandFrame:
    raise RuntimeError(f"network failed on frame {frame.index}")


def test_error_of_the_pipeline_reaches_the_main_thread_with_its_traceback(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(5))
    with ReplaySource(path) as source, pytest.raises(RuntimeError, match="network failed on frame") as caught:
        run_live(source, break_down, lambda _: None)
    assert "break_down" in "".join(traceback.format_tb(caught.value.__traceback__))
    assert capture_threads() == []


def test_error_of_the_capture_thread_reaches_the_main_thread() -> None:
    camera = NetworkCamera()
    settings = CameraSettings(width=640, height=480, fps=30, reconnect_s=0.3, mirrored=False)
    results: list[Result] = []

    def unplug(result: Result) -> None:
        results.append(result)
        camera.unplug()

    with CameraSource(camera.address, settings) as source, pytest.raises(UserError, match="unplugged") as caught:
        run_live(source, see_nothing, unplug)
    camera.close()
    assert "_reconnect" in "".join(traceback.format_tb(caught.value.__traceback__))
    assert results
    assert capture_threads() == []


def test_recording_in_the_live_loop_can_be_stopped(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(300))
    seen: list[Result] = []
    with VideoSource(path) as source:
        run_live(source, see_nothing, seen.append, lambda: len(seen) >= 3)
        assert list(source) == []
    assert len(seen) == 3
    assert capture_threads() == []


def test_error_of_the_display_stops_everything(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 3_600_000])

    def full_disk(_: Result) -> None:
        raise UserError("out.npz: cannot be written")

    with ReplaySource(path) as source, pytest.raises(UserError, match=r"out\.npz"):
        run_live(source, see_nothing, full_disk)
    assert capture_threads() == []


CTRL_C = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.realtime.test_live import see_slowly
from realtime.sources.live_source import ReplaySource
from realtime.live import run_live
try:
    with ReplaySource(Path({path!r})) as source:
        run_live(source, see_slowly, lambda result: print(result.frame.index, flush=True))
except KeyboardInterrupt:
    print("ended", flush=True)
"""


def test_ctrl_c_ends_the_process(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 33, 3_600_000])
    code = CTRL_C.format(root=str(ROOT), path=str(path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        assert p.stdout is not None
        assert p.stdout.readline().strip().isdecimal()
        p.send_signal(signal.SIGINT)
        try:
            out, err = p.communicate(timeout=20)
        finally:
            p.kill()
    assert (out.splitlines()[-1], p.returncode) == ("ended", 0)
    assert all(line.endswith("a pause of 3600 s is cut to 5 s") for line in err.splitlines()), err


def test_recorded_sees_every_frame_in_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 10, 500, 510])
    with VideoSource(path) as source:
        results = list(run_recorded(source, see_nothing))
    assert [r.hands.index for r in results] == [0, 1, 2, 3]
    assert [r.hands.t_capture_s for r in results] == pytest.approx([0, 0.01, 0.5, 0.51], abs=1e-4)
    assert all(r.latency_ms >= 0 and r.hands.dropped == 0 for r in results)


def test_recorded_reports_damaged_frames_as_dropped(tmp_path: Path) -> None:
    for i in range(5):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture(i, SIZE))
    for i in (0, 2, 3):
        (tmp_path / f"{i}.png").write_bytes(np.random.default_rng(i).bytes(50))
    with ImageFolderSource(tmp_path) as source:
        results = list(run_recorded(source, see_nothing))
    assert [(r.hands.index, r.hands.dropped) for r in results] == [(1, 1), (4, 2)]

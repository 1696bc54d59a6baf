"""The run is never lost for a window: desktops whose Qt, Wayland or OpenGL is not what the libraries expect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.tracks.reader import load_tracks
from tests.support.recordings import ROOT, cut
from tests.support.virtual_display import xvfb_run
from tests.support.wayland import WaylandWithoutSeat

pytestmark = pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
FRAMES = 12


Done = subprocess.CompletedProcess[str]


def run(tmp_path: Path, before: list[str], environment: dict[str, str], *words: str, step: int = 1) -> Done:
    """The program over a short clip, its pictures `step` thirtieths apart; its tracks must be whole in every case."""
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES, steps=(step,))
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [*before, sys.executable, "run_demo.py", "--video", str(clip), "--engine", "openvino", *words]
    done = subprocess.run(
        [*command, "--save-tracks", str(tmp_path / "t.npz")],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(load_tracks(tmp_path / "t.npz")) == FRAMES
    return done


@pytest.mark.parametrize("platform", ["wayland", "offscreen", "wayland-egl;wayland;xcb"])
def test_a_qt_platform_that_opencv_lacks(tmp_path: Path, platform: str) -> None:
    assert run(tmp_path, xvfb_run(), {"QT_QPA_PLATFORM": platform}).stderr == ""


def test_wayland_without_keyboard_and_mouse(tmp_path: Path) -> None:
    compositor = WaylandWithoutSeat(tmp_path)
    with compositor as environment:
        assert run(tmp_path, xvfb_run(), environment).stderr == ""
        video = tmp_path / "headless.mp4"
        assert run(tmp_path, [], environment, "--headless", "--save-video", str(video)).stderr == ""
        assert video.stat().st_size > 10_000
    assert compositor.clients == 0


def test_a_display_without_opengl_as_over_ssh(tmp_path: Path) -> None:
    before = xvfb_run()
    before[-1] += " -extension GLX"
    # The 3D window is another process, which takes a while to fail: the clip lasts eight seconds.
    done = run(tmp_path, before, {}, "--realtime", step=20)
    (line,) = done.stderr.splitlines()
    assert line.startswith("the 3D window cannot be opened: OpenGL 3.3 does not work here")
    assert line.endswith("the camera window goes on")


def test_wayland_without_x11_is_named(tmp_path: Path) -> None:
    with WaylandWithoutSeat(tmp_path) as environment:
        kept = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        command = [sys.executable, "run_demo.py", "--video", "samples/two_hands.mp4"]
        done = subprocess.run(
            command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=250, check=False
        )
    assert (done.returncode, done.stderr) == (
        2,
        "error: the windows cannot be opened: this Wayland has no X11; install xwayland, or use --headless\n",
    )

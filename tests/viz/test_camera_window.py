"""The camera's window on a real X display: what is shown is on the screen (on a busy machine it stayed black)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.virtual_display import xvfb_run

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")

SCRIPT = """
import time
import numpy as np
from benchmarks.screen_grab import grab
from realtime.x_windows import area_of
from tests.support.hand_frames import hand_frame
from viz.drawing.status import OverlayStatus
from viz.window.camera_window import CameraWindow

TITLE = "two hands: camera"
window = CameraWindow(lambda frame: OverlayStatus())

def show(brightness, count):
    for _ in range(count):
        window.show(hand_frame(), np.full((480, 640, 3), brightness, np.uint8))
        time.sleep(0.02)

def on_screen():
    return float(np.median(next(grab(TITLE, 10))[1]))

show(200, 20)
assert area_of(TITLE)[2:] == (640, 480)
assert abs(on_screen() - 200) < 5, "shown"
show(100, 3)
assert abs(on_screen() - 100) < 5, "and what is shown next"
window.close()
"""


def test_what_is_shown_is_on_the_screen() -> None:
    done = subprocess.run(
        [*xvfb_run(), sys.executable, "-c", SCRIPT],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

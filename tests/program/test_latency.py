"""Latency from screen to screen: the code is read through what a camera does to it, and the command measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.clock_code import HEIGHT, WIDTH, age_ms, draw, find, read
from tests.support.virtual_display import xvfb_run

ROOT = Path(__file__).parents[2]


def seen(now_s: float, turn_px: float, quality: int) -> np.ndarray:
    """The panel in a picture, from aslant, softened, with noise, as JPEG."""
    corners = np.float32([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]])
    there = corners * 1.2 + np.float32([[60, 80], [80, 80 + turn_px], [60, 80 - turn_px], [60, 80]])
    turned = cv2.warpPerspective(
        draw(now_s), cv2.getPerspectiveTransform(corners, there), (640, 480), borderValue=(90, 120, 80)
    )
    noisy = cv2.GaussianBlur(turned, (0, 0), 1.2) * 0.7 + 30 + np.random.default_rng(1).normal(0, 4, turned.shape)
    return cv2.imdecode(cv2.imencode(".jpg", noisy, (cv2.IMWRITE_JPEG_QUALITY, quality))[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(("turn_px", "quality"), [(0, 90), (25, 60), (-30, 40)])
def test_the_clock_is_read_through_a_camera(turn_px: float, quality: int) -> None:
    for now_s in (0.0, 12.345, 65.535, 1_700_000_000.123):
        picture = seen(now_s, turn_px, quality)
        place = find(picture)
        assert place is not None
        shown_ms = read(picture, place)
        assert shown_ms == int(now_s * 1e3) % 65536
        assert age_ms(shown_ms, now_s + 0.25) == pytest.approx(250, abs=1)


def test_two_readings_in_one_picture_tell_nothing() -> None:
    """An exposure that began at one reading and ended at another; something drawn over it likewise."""
    picture = seen(20.0, 10, 90)
    place = find(picture)
    assert place is not None
    mixed = np.where(np.arange(640)[None, :, None] < 330, picture, seen(21.777, 10, 90))
    assert read(mixed, place) is None
    assert find(np.full((480, 640, 3), 120, np.uint8)) is None


SOON_WARM = """
import sys
from benchmarks import latency
latency._WARM_UP_S, latency._CLOCK_S = 0.2, 1.0
sys.exit(latency.main())
"""


def test_the_command_measures_without_a_camera(tmp_path: Path) -> None:
    """The program as a user starts it, on a display of its own; what is judged is no speed but that it was measured."""
    words = [sys.executable, "-c", SOON_WARM, "--seconds", "1.5", "--output", str(tmp_path / "a.json")]
    done = subprocess.run(
        [*xvfb_run("1920x1200x24"), *words, "--", "--no-3d"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["readings"] >= 2
    assert 0 < figures["clock_itself_p50_ms"] < figures["screen_to_screen_p50_ms"] < 5_000
    assert 0 < figures["program_says_p50_ms"] < 5_000, "also of the first frames, which were not looked at"
    assert "no camera: a real one adds its exposure and transport" in done.stdout


def test_the_command_without_a_screen_says_what_it_needs(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | {"PATH": str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks.latency"]
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (2, "error: no X display to look at, and no xvfb-run to make one\n")

"""The 3D window in its own process: it shows and ends, tells what its keys do, and holds nobody up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.virtual_display import xvfb_run
from viz.window.beside_process import has_gpu

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")

BEGIN = """
import os, signal, subprocess, sys, time
from tests.support.hand_frames import hand_frame
from viz.viewer import Display
from viz.window.beside import WindowBeside

display, said = Display(), []
window = WindowBeside(display, said.append)

def until(condition):
    end_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end_s, said
        window.is_running()
        time.sleep(0.01)

def drawn():
    window.show(hand_frame("right", "left"))
    until(lambda: window._waiting is None)
"""


def run(script: str) -> None:
    done = subprocess.run(
        [*xvfb_run(), sys.executable, "-c", BEGIN + script],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_it_shows_and_ends_with_the_program() -> None:
    run("""
for _ in range(5):
    drawn()
assert window.is_running()
number = window._process.pid
window.close()
window.close()
assert not window.is_running()
assert window._process.returncode is not None
assert said == []
""")


def test_a_slow_window_holds_nobody_up() -> None:
    """Stopped altogether, as one that draws for a long time: every call is over at once."""
    run("""
drawn()
os.kill(window._process.pid, signal.SIGSTOP)
for i in range(300):
    started = time.thread_time(), time.monotonic()
    window.show(hand_frame("right", "left", index=i))
    assert time.monotonic() - started[1] < 0.5
os.kill(window._process.pid, signal.SIGCONT)
until(lambda: window._waiting is None)
window.close()
""")


def test_a_crash_of_it_is_told_and_ends_nothing() -> None:
    run("""
drawn()
window._process.kill()
until(lambda: said)
assert said == ["the 3D window has ended; the camera window goes on"]
window.show(hand_frame("right"))
assert window.is_running()
window.close()
""")


def test_ctrl_c_is_the_programs() -> None:
    run("""
drawn()
os.kill(window._process.pid, signal.SIGINT)
for _ in range(3):
    drawn()
assert window.is_running()
window.close()
""")


def test_without_a_device_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("LIBGL_ALWAYS_SOFTWARE", "1")
    assert not has_gpu()

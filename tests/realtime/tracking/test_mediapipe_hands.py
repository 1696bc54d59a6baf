"""MediaPipe is imported in part, and is whole for everybody who asks for the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = "from realtime.tracking.mediapipe_hands import Hands"
THEIRS = "import mediapipe as mp; mp.solutions.hands.Hands, mp.solutions.drawing_utils.plt, mp.tasks.vision, mp.Image"
SAME = "assert Hands is mp.solutions.hands.Hands and mp.__version__"


def python(*lines: str) -> None:
    """In a new process: imports of this one are done."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_detector_loads_no_plots_and_no_microphones() -> None:
    python(
        "import sys",
        "from realtime.tracking.detector import HandDetector",
        "HandDetector(0.5).close()",
        "assert not {'matplotlib', 'sounddevice', 'mediapipe.tasks'} & set(sys.modules)",
    )


@pytest.mark.parametrize("lines", [(OURS, THEIRS), (THEIRS, OURS)], ids=["ours first", "theirs first"])
def test_who_uses_mediapipe_beside_us_finds_all_of_it(lines: tuple[str, str]) -> None:
    python(*lines, SAME, "from mediapipe import solutions; from mediapipe.python.solutions import pose; solutions.pose")

"""What the shipped weights know of real hands must never be lost again unnoticed: upper bounds on 200 real pictures.

The weights before real pictures entered training had 6.5 px, 16.8 mm and 8.9 mm here, and 8.6 px on hands of others.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.second_look import looking_twice
from training.datasets.webcam import load_webcam
from training.evaluate import judge_network
from training.evaluation.root_depth import RootDepths


def test_real_webcam_hands_stay_as_near_as_they_are(shared_data: Path) -> None:
    """Both looks of `python -m training.evaluate`; takes some seconds, which 200 pictures are worth."""
    folder = shared_data / "eval" / "webcam_left_hand"
    if not folder.is_dir():
        pytest.skip("needs the optional eval/webcam_left_hand")
    backend = looking_twice(open_backend(EngineRequest(backend="torch", precision="fp32")), "lite")
    _, turned = judge_network(backend, load_webcam(folder), RootDepths("gt", {}))
    found = turned.figures
    assert found.samples == 200
    assert found.error_2d_px < 5.9
    assert found.root_relative_mm < 15.6
    assert found.aligned_mm < 9.0
    assert found.handedness >= 0.99

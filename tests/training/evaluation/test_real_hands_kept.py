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
from training.evaluation.figures import Figures
from training.evaluation.root_depth import RootDepths


def test_real_webcam_hands_stay_as_near_as_they_are(shared_data: Path) -> None:
    """Both looks of `python -m training.evaluate`; takes some seconds, which 200 pictures are worth."""
    folder = shared_data / "eval" / "webcam_left_hand"
    if not folder.is_dir():
        pytest.skip("needs the optional eval/webcam_left_hand")
    found = figures_of(folder, witness=True)
    assert found.samples == 200
    assert found.error_2d_px < 5.7
    assert found.root_relative_mm < 15.5
    assert found.aligned_mm < 8.6
    assert found.handedness >= 0.99

    alone = figures_of(folder, witness=False, limit=50)
    together = figures_of(folder, witness=True, limit=50)
    assert together.error_2d_px < alone.error_2d_px
    assert together.root_relative_mm < alone.root_relative_mm


def figures_of(folder: Path, *, witness: bool, limit: int = 200) -> Figures:
    """What the tracker takes of a single hand: one look that hears a witness, or two of the network by itself."""
    request = EngineRequest(backend="openvino", precision="fp32", witness=witness)
    samples = load_webcam(folder)[:: 200 // limit]
    _, turned = judge_network(looking_twice(open_backend(request), "lite"), samples, RootDepths("gt", {}))
    return turned.figures

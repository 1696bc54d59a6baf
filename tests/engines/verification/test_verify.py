"""How far an engine is from torch: distances in space, and sets of crops of any size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.backends.opening import open_backend
from engines.building.sample_crops import sample_crops
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.verification.comparison import differences
from engines.verification.verify import verify


def _answers(shift_px: float = 0.0, shift_mm: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    answers = {
        "joints_crop_px": rng.uniform(0, 192, (3, 42, 2)) + (shift_px, 0),
        "joint_depth_mm": rng.uniform(-100, 100, (3, 42)) + shift_mm,
        "joint_confidence": rng.uniform(0, 1, (3, 42)),
        "hand_probability": np.ones((3, 2)),
        "left_minus_right_root_mm": np.zeros((3, 1)),
        "root_depth_factor": np.full((3, 2), 0.64),
    }
    return {name: value.astype(np.float32) for name, value in answers.items()}


def test_differences_are_distances_in_space() -> None:
    """A crop of gamma 0.64 is 0.64 * 300 mm wide: at 192 px a pixel is a millimetre."""
    found = differences(_answers(shift_px=3.0, shift_mm=4.0), _answers(), 192)
    assert found.joints_mm_mean == pytest.approx(5.0, abs=1e-3)
    assert found.joints_px_mean == pytest.approx(3.0, abs=1e-3)
    assert found.joint_depth_mm_mean == pytest.approx(4.0, abs=1e-3)
    assert found.root_mm_largest == found.confidence_largest == 0


def test_a_batch_may_be_larger_than_the_set_of_crops() -> None:
    engine = open_backend(EngineRequest(backend="torch", precision="fp32", batches=(3,)))
    report = verify(engine, engine, sample_crops(engine.input_px, count=2), (3,), timed_s=0.0)
    assert report.crops == 3
    assert report.joints_mm_mean == 0
    report.require("fp32")
    for mean in (1.0, float("nan")):
        with pytest.raises(UserError, match="fp32 may bring"):
            replace(report, joints_mm_mean=mean).require("fp32")

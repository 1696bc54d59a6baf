"""What a network said about one crop, as numpy arrays (any thread)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NetworkOutput:
    """One crop's answer; joints in InterHand2.6M's order, right 0-20, left 21-41."""

    joints_crop_px: NDArray[np.float32]
    """(42, 2) pixels of the crop."""
    joint_depth_mm: NDArray[np.float32]
    """(42,) relative to the wrist of the same hand."""
    joint_confidence: NDArray[np.float32]
    """(42,) 0..1."""
    hand_probability: NDArray[np.float32]
    """(2,) right, left."""
    left_minus_right_root_mm: float
    root_depth_factor: NDArray[np.float32]
    """(2,) RootNet's gamma, right and left."""


def outputs_of_batch(tensors: Mapping[str, NDArray[np.float32]]) -> list[NetworkOutput]:
    """One NetworkOutput per crop from the tensors of `spec.OUTPUT_NAMES`; arrays are copied, buffers may be reused."""
    count = len(tensors["hand_probability"])
    return [
        NetworkOutput(
            joints_crop_px=tensors["joints_crop_px"][i].copy(),
            joint_depth_mm=tensors["joint_depth_mm"][i].copy(),
            joint_confidence=tensors["joint_confidence"][i].copy(),
            hand_probability=tensors["hand_probability"][i].copy(),
            left_minus_right_root_mm=float(tensors["left_minus_right_root_mm"][i, 0]),
            root_depth_factor=tensors["root_depth_factor"][i].copy(),
        )
        for i in range(count)
    ]

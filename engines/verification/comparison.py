"""One network's answers against another's, output by output: joints in pixels and millimetres, hands, depths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.building.tolerance import Answers, hands_that_count, joints_moved_mm
from engines.skeleton import JOINTS_PER_HAND


@dataclass(frozen=True)
class Differences:
    """One network's answers against another's, output by output, only of hands that count (`tolerance`)."""

    crops: int
    joints_mm_mean: float
    """Distance in space (`tolerance.joints_moved_mm`)."""
    joints_px_mean: float
    joints_px_largest: float
    joint_depth_mm_mean: float
    joint_depth_mm_largest: float
    root_mm_mean: float
    root_mm_largest: float
    root_depth_factor_mean: float
    root_depth_factor_largest: float
    """Relative to the factor."""
    hand_probability_mean: float
    hand_probability_largest: float
    confidence_mean: float
    confidence_largest: float

    def lines(self) -> list[str]:
        """The report for a terminal."""
        return [f"{name:28}{value:10.4f}" for name, value in vars(self).items()]


def differences(ours: Answers, theirs: Answers, input_px: int) -> Differences:
    """Compare answers to the same crops; `theirs` are the reference."""
    hands = hands_that_count(theirs)
    there = np.repeat(hands, JOINTS_PER_HAND, axis=1)
    pixels = np.linalg.norm(ours["joints_crop_px"] - theirs["joints_crop_px"], axis=-1)
    depth = np.abs(ours["joint_depth_mm"] - theirs["joint_depth_mm"])
    root = np.abs(ours["left_minus_right_root_mm"] - theirs["left_minus_right_root_mm"])[hands.all(axis=1)]
    factor = np.abs(ours["root_depth_factor"] / theirs["root_depth_factor"] - 1)[hands]
    probability = np.abs(ours["hand_probability"] - theirs["hand_probability"])
    confidence = np.abs(ours["joint_confidence"] - theirs["joint_confidence"])[there]
    return Differences(
        crops=len(hands),
        joints_mm_mean=joints_moved_mm(ours, theirs, input_px),
        joints_px_mean=float(pixels[there].mean()),
        joints_px_largest=float(pixels[there].max()),
        joint_depth_mm_mean=float(depth[there].mean()),
        joint_depth_mm_largest=float(depth[there].max()),
        root_mm_mean=float(root.mean()) if root.size else 0.0,
        root_mm_largest=float(root.max(initial=0.0)),
        root_depth_factor_mean=float(factor.mean()),
        root_depth_factor_largest=float(factor.max()),
        hand_probability_mean=float(probability.mean()),
        hand_probability_largest=float(probability.max()),
        confidence_mean=float(confidence.mean()),
        confidence_largest=float(confidence.max()),
    )

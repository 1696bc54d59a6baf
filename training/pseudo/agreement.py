"""When two witnesses agree on a hand, and what its label is then (pure functions; any thread).

The witnesses are MediaPipe's landmark network and ours, each with a straight and a mirrored look at one crop. Their
errors on real hands correlate by a half only, so what both say is nearly always right, and their mean is better than
either: docs/training.md has the figures. What they do not agree on is no label, and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, SIDES, Side
from engines.spec import ROOTNET_AREA_MM2
from training.pseudo.landmarks import INPUT_PX, LandmarkLook

DEPTH_GAIN = 2.0
"""MediaPipe's depth in the picture, taken as pixels, is so many times too flat (found on real hands with 3D labels)."""
MM_PER_GAMMA = ROOTNET_AREA_MM2**0.5
"""RootNet's factor gamma makes a crop gamma * 300 mm wide at the wrist: depth = gamma * 300 mm * f / side."""


@dataclass(frozen=True)
class Limits:
    """What a hand must pass."""

    presence: float = 0.8
    """Least probability of a hand in both looks of MediaPipe."""
    sure_side: float = 0.75
    """Least probability of its side, as the mean of both looks."""
    looks_px: float = 9.0
    """Largest mean distance between the two looks, in pixels of a 256 px crop."""
    witnesses_px: float = 16.0
    """Largest mean distance between MediaPipe and our network, likewise."""
    side_px: float = 60.0
    """Smallest side of the crop in the picture."""
    absent: float = 0.1
    """Probability below which our network says that the other hand is not in the crop."""


@dataclass(frozen=True)
class Hand:
    """A labelled hand."""

    side: Side
    joints_crop_px: NDArray[np.float64]
    """(21, 2) pixels of a crop of `INPUT_PX`."""
    joint_depth_mm: NDArray[np.float64]
    """(21,) relative to the wrist, along the crop's line of sight."""
    alone: bool
    """Whether our network sees no other hand in the crop."""


def agreed(looks: tuple[LandmarkLook, LandmarkLook], ours: NetworkOutput, input_px: int, limits: Limits) -> Hand | str:
    """The hand that both witnesses see in a crop, or the reason why there is no label.

    `ours` is what our network says of the same crop at `input_px`, with depths along the crop's line of sight.
    """
    if min(look.presence for look in looks) < limits.presence:
        return "no hand for MediaPipe"
    rightness = float(np.mean([look.rightness for look in looks]))
    if max(rightness, 1 - rightness) < limits.sure_side:
        return "side unsure"
    side: Side = "right" if rightness > 0.5 else "left"
    to_256 = 256 / INPUT_PX
    if _apart_px(looks[0].joints_px, looks[1].joints_px) * to_256 > limits.looks_px:
        return "looks differ"
    if ours.hand_probability[SIDES.index(side)] < 0.5:
        return "other side or no hand for our network"
    rows = HAND_SLICES[side]
    own_px = (ours.joints_crop_px[rows].astype(np.float64) + 0.5) * (INPUT_PX / input_px) - 0.5
    theirs_px = (looks[0].joints_px + looks[1].joints_px) / 2
    if _apart_px(own_px, theirs_px) * to_256 > limits.witnesses_px:
        return "witnesses differ"
    mm_per_px = float(ours.root_depth_factor[SIDES.index(side)]) * MM_PER_GAMMA / INPUT_PX
    theirs_mm = (looks[0].depth_px + looks[1].depth_px) / 2 * mm_per_px * DEPTH_GAIN
    depth_mm = (ours.joint_depth_mm[rows].astype(np.float64) + theirs_mm) / 2
    other = ours.hand_probability[1 - SIDES.index(side)]
    return Hand(side, (own_px + theirs_px) / 2, depth_mm, alone=bool(other < limits.absent))


def _apart_px(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())

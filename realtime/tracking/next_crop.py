"""Where to look next: crops from the joints of the last frame, their side lengths held back (any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import BOX_FACTOR, Crop, crop_around, upright_angle_rad

_SMALLEST_CROP_PX: Final = 12.0
_SHRINK_RATE: Final = 3.2
"""A crop's logarithm falls at most by so much in a second: unsure joints lie closer together than the hand is large."""
_SHRINK_RATE_SHARED: Final = 1.2
_GROW: Final = 1.25
"""A crop is never smaller than its hand asks for by more than this."""
_ANNOTATION_MARGIN: Final = 0.1


def own_crop(joints_px: NDArray[np.float64], before: Crop, step_s: float, smoothing_s: float) -> Crop:
    """A hand's own crop from its joints (21, 2) and the crop of `step_s` before.

    Its side length follows with the time constant `smoothing_s`: RootNet's depth shakes with it.
    """
    crop = crop_around(joints_px, upright_angle_rad([joints_px], before.angle_rad))
    keep = float(np.exp(-step_s / smoothing_s)) if smoothing_s > 0 else 0.0
    side_px = float(np.exp(keep * np.log(before.side_px) + (1 - keep) * np.log(crop.side_px)))
    least = max(_SMALLEST_CROP_PX, crop.side_px / _GROW, float(np.exp(-_SHRINK_RATE * step_s)) * before.side_px)
    return replace(crop, side_px=max(side_px, least))


def shared_crop(hands_px: Sequence[NDArray[np.float64]], before: Crop | None, step_s: float) -> Crop:
    """The crop around both hands' joints, (21, 2) each; `before` is that of `step_s` ago, if they shared one then."""
    turn = upright_angle_rad(list(hands_px), before.angle_rad if before else 0.0)
    crop = crop_around(np.concatenate(list(hands_px)), turn)
    if before is None:
        return crop
    return replace(crop, side_px=max(crop.side_px, float(np.exp(-_SHRINK_RATE_SHARED * step_s)) * before.side_px))


def hand_px(crop: Crop) -> float:
    """Longer side of the hand in its own crop."""
    return crop.side_px / BOX_FACTOR


def apart_px(a: Crop, b: Crop) -> float:
    """Distance of the centres."""
    return float(np.hypot(a.center_px[0] - b.center_px[0], a.center_px[1] - b.center_px[1]))


def near(a: Crop, b: Crop) -> bool:
    """The centres are closer than half a hand."""
    return apart_px(a, b) < 0.5 * min(hand_px(a), hand_px(b))


def overlap(a_px: NDArray[np.float64], b_px: NDArray[np.float64]) -> float:
    """Intersection of the annotation boxes of two hands' joints over the smaller one's area."""
    boxes = []
    for joints in (a_px, b_px):
        low, high = joints.min(axis=0), joints.max(axis=0)
        grow = _ANNOTATION_MARGIN * (high - low)
        boxes.append((low - grow, high + grow))
    (low_a, high_a), (low_b, high_b) = boxes
    common = np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None).prod()
    return float(common / max(min((high_a - low_a).prod(), (high_b - low_b).prod()), 1.0))

"""Whether confidences come true: joints sorted by confidence, and the share of them that is right (numpy)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RIGHT_PX: Final = 10.0
"""A joint counts as right within so many pixels of a 256 px crop, about 13 mm on an adult's hand alone in the crop."""


@dataclass(frozen=True)
class Reliability:
    """How well confidences hold: joints sorted into tenths by confidence."""

    joints: list[int]
    """Joints in each tenth, ten numbers."""
    confidence: list[float]
    """Mean confidence in each tenth; NaN in an empty one."""
    right: list[float]
    """Share of its joints within 10 px of a 256 px crop."""
    expected_error: float
    """Mean distance of the two over all joints (ECE)."""


def reliability(confidence: NDArray, right: NDArray) -> Reliability:
    """Compare confidences (N,) with what came true (N,) bool."""
    tenth = np.clip((confidence * 10).astype(int), 0, 9)
    bins = [tenth == k for k in range(10)]
    joints = [int(inside.sum()) for inside in bins]
    means = [float(confidence[inside].mean()) if inside.any() else float("nan") for inside in bins]
    shares = [float(right[inside].mean()) if inside.any() else float("nan") for inside in bins]
    gaps = [n * abs(a - b) for n, a, b in zip(joints, means, shares, strict=True) if n]
    return Reliability(joints, means, shares, sum(gaps) / sum(joints) if sum(joints) else float("nan"))

"""Answers in which the joints lie in a knot rather than on two hands: a rule of the picture's plane alone (numpy).

Where a network does not know, its joints gather in the middle. The limits are those under which one in 200 of 3,000
rendered pairs has its true joints in their own box, .211 and .116, times .8: a labelled box takes in flesh and margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES, SIDES

LEAST_PAIR_SPREAD: Final = 0.17
LEAST_HAND_SPREAD: Final = 0.093


@dataclass(frozen=True)
class Spread:
    """Standard deviation of joints along the sides of the pair's box, in those sides: root mean square of both."""

    pair: float
    """Of all 42 joints."""
    hands: tuple[float, float]
    """Of the right and the left hand's 21."""

    @property
    def is_knot(self) -> bool:
        """Whether the joints lie nearer to each other than those of two hands in that box can."""
        return self.pair < LEAST_PAIR_SPREAD or min(self.hands) < LEAST_HAND_SPREAD


def spread_of(joints_px: NDArray, box_px: NDArray) -> Spread:
    """How far (42, 2) joints lie apart in a box (4,) left, top, right, bottom."""
    sides = box_px[2:] - box_px[:2]
    right, left = (_deviation(joints_px[HAND_SLICES[side]] / sides) for side in SIDES)
    return Spread(_deviation(joints_px / sides), (right, left))


def _deviation(points: NDArray) -> float:
    return float(np.sqrt(points.var(axis=0).mean()))

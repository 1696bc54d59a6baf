"""Two hands in contact that come to lie on each other rather than touch at one place (numpy, scipy; any thread).

The moving hand is turned a little about where it touches, about the two axes across the direction of contact, as long
as that brings the hands nearer to each other on the whole, as a hand that is laid down does by itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training.synth.hand.contact import Capsules, Sliding, end_of_touch, gaps_mm
from training.synth.person.appearance import unit

_STEPS_DEG: Final = (9.0, 4.5, 2.25)
_NEAR_MM: Final = 40.0
"""Flesh that is farther from the other hand than this takes no part."""
_REACH_MM: Final = (-20.0, 24.0)
"""How far the hand may slide to be in contact again after a turn."""
_HALVINGS: Final = 6
Rigid = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Rotation (3, 3), then shift (3,) mm."""


def settle(fixed: Capsules, moving: Capsules, direction: NDArray, tolerance_mm: float, most_deg: float) -> Rigid:
    """The motion that lays `moving`, which touches, on `fixed`: gaps end at the tolerance or above.

    `direction` (3,) leads away from `fixed`; the turn is at most about `most_deg`.
    """
    rotation, shift = np.eye(3), np.zeros(3)
    best = _openness(fixed, moving)
    axes = _across(direction)
    for step in _STEPS_DEG:
        improved = True
        while improved:
            improved = False
            for axis in (axes[0], -axes[0], axes[1], -axes[1]):
                found = _turned(
                    fixed, moving, rotation, shift, Rotation.from_rotvec(axis * step, degrees=True).as_matrix()
                )
                moved = found and _contact(fixed, moving, *found, direction, tolerance_mm)
                if not moved or _angle_deg(moved[0]) > most_deg:
                    continue
                openness = _openness(fixed, moving.turned(*moved))
                if openness < best - 0.05:
                    best, (rotation, shift), improved = openness, moved, True
    return rotation, shift


def _across(direction: NDArray) -> tuple[NDArray, NDArray]:
    """Two unit vectors at right angles to a direction and to each other."""
    helper = np.eye(3)[int(np.argmin(np.abs(direction)))]
    one = unit(np.cross(direction, helper))
    return one, np.cross(direction, one)


def _openness(fixed: Capsules, moving: Capsules) -> float:
    """Mean distance of each hand's flesh to the other, mm; forearms count as obstacles only."""
    gaps = gaps_mm(fixed, moving)
    fixed_hand, moving_hand = (c.radius_mm < 20 for c in (fixed, moving))
    return float(
        np.minimum(gaps.min(axis=1), _NEAR_MM)[fixed_hand].mean()
        + np.minimum(gaps.min(axis=0), _NEAR_MM)[moving_hand].mean()
    )


def _turned(fixed: Capsules, moving: Capsules, rotation: NDArray, shift: NDArray, turn: NDArray) -> Rigid:
    """The motion followed by a turn about the place of contact."""
    now = moving.turned(rotation, shift)
    nearest = np.unravel_index(np.argmin(gaps_mm(fixed, now)), (len(fixed.radius_mm), len(now.radius_mm)))[1]
    pivot = (now.start_mm[nearest] + now.end_mm[nearest]) / 2
    return turn @ rotation, turn @ (shift - pivot) + pivot


def _contact(
    fixed: Capsules, moving: Capsules, rotation: NDArray, shift: NDArray, direction: NDArray, tolerance_mm: float
) -> Rigid | None:
    """The motion slid along the direction into contact; None where that is out of reach."""
    touches = Sliding(fixed, moving.turned(rotation, shift), direction, tolerance_mm)
    low, high = _REACH_MM
    if touches(high) or not touches(low):
        return None
    return rotation, shift + end_of_touch(touches, low, high, _HALVINGS) * direction


def _angle_deg(rotation: NDArray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))

"""The length of the user's hand, which sets the scale of everything, measured with the camera (any thread)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from engines.errors import UserError
from engines.skeleton import WRIST
from realtime.camera_space.closed_form import TYPICAL_HAND_MM
from realtime.messages import HandFrame

SHORTEST_MM: Final = 80.0
LONGEST_MM: Final = 300.0
FEWEST_HANDS: Final = 30
"""So many sights of a hand make a measurement."""
_SURE: Final = 0.7
"""Mean confidence from which on a sight counts."""


@dataclass(frozen=True)
class HandProfile:
    """What is known of somebody's hands."""

    hand_length_mm: float
    """From the wrist to the tip of the middle finger, along the bones."""
    spread_mm: float = 0.0
    """Standard deviation of single sights, where it was measured with the camera."""


def checked_length(length_mm: float, name: str) -> float:
    """The length, if a hand can have it; raises UserError naming where it came from otherwise."""
    if not SHORTEST_MM <= length_mm <= LONGEST_MM:
        raise UserError(f"{name}: a hand {length_mm:g} mm long; wrist to middle fingertip is {SHORTEST_MM:g} to 300 mm")
    return length_mm


def measure_hand(frames: Iterable[HandFrame], distance_mm: float) -> HandProfile:
    """The hand's length from frames in which its wrist is `distance_mm` from the camera.

    The frames must come from RootNet's depth with no length set: the length is then what scales their median to the
    distance, and so takes up all that is constant in RootNet's error for this hand and camera. Raises UserError if a
    hand is seen too rarely, or the length is none of a hand.
    """
    depths_mm = np.array(list(_depths_mm(frames)))
    if len(depths_mm) < FEWEST_HANDS:
        raise UserError(
            f"--calibrate-hand: a hand alone was clearly seen {len(depths_mm)} times, {FEWEST_HANDS} are needed"
        )
    lengths_mm = TYPICAL_HAND_MM * distance_mm / depths_mm
    length = float(np.median(lengths_mm))
    spread = 1.4826 * float(np.median(np.abs(lengths_mm - length)))
    return HandProfile(round(checked_length(length, "--calibrate-hand"), 1), round(spread, 1))


def _depths_mm(frames: Iterable[HandFrame]) -> Iterator[float]:
    for frame in frames:
        for hand in frame.hands:
            if hand.root_depth_from == "rootnet" and float(np.mean(hand.confidence)) >= _SURE:
                yield float(hand.joints_cam_mm[WRIST, 2])

"""Thumbs give way to fingers that bend or straighten past them (numpy only; any thread)."""

from __future__ import annotations

from typing import Final

import numpy as np

from training.synth.hand.contact import SELF_TOLERANCE_MM, self_gap_mm
from training.synth.hand.model import HandState
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape

THUMB_OUT_DEG: Final = np.array([-6.0, 4.0, 8.0, 6.0])
"""The thumb's outer place, where no finger reaches it."""


def thumb_share(state: HandState, shape: HandShape) -> float:
    """Share (in fifths) of the way to the thumb's outer place from which on it is out of the fingers."""
    shares = np.linspace(0, 1, 6)
    for index in range(5, -1, -1):
        if not _thumb_is_free(state, shape, float(shares[index])):
            return float(shares[min(index + 1, 5)])
    return 0.0


def _thumb_is_free(state: HandState, shape: HandShape, share: float) -> bool:
    fingers = state.angles.fingers_deg.copy()
    fingers[0] += share * (THUMB_OUT_DEG - fingers[0])
    moved = HandState(state.side, JointAngles(fingers, state.angles.wrist_deg), state.placement)
    return self_gap_mm(moved.skeleton(shape), finger=0) >= SELF_TOLERANCE_MM

"""Flexion and abduction of a hand's joints from their rotations (numpy only; any thread)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, FINGER_TIPS, JOINTS_PER_HAND, PARENTS, WRIST, Side
from realtime.rotations.quaternions import IDENTITY, Floats, from_matrices, inverse, matrices, times
from realtime.rotations.rest_hand import MIRROR_TURN, STRAIGHT_ABDUCTION_DEG, WRIST_FROM_FINGER

_FINGER_JOINTS: Final = np.array([j for j in range(JOINTS_PER_HAND) if j != WRIST and j not in FINGER_TIPS])
_PARENTS: Final = np.array(PARENTS)[_FINGER_JOINTS]
_FROM_PARENT: Final = np.tile(IDENTITY, (len(_FINGER_JOINTS), 1))
"""(15, 4) parent_from_zero: where a joint's bone points along -z with both angles 0."""
_FROM_PARENT[np.isin(_FINGER_JOINTS, FINGER_BASES)] = from_matrices(WRIST_FROM_FINGER)
_ZERO_DEG: Final = np.where(np.isin(_FINGER_JOINTS, FINGER_BASES), np.repeat(STRAIGHT_ABDUCTION_DEG, 3), 0.0)


def joint_angles_deg(rotations: NDArray, side: Side) -> Floats:
    """(..., 21, 4) as `hand_rotations` gives them -> (..., 21, 2) flexion and abduction; NaN for wrist and tips.

    Flexion bends towards the palm, first; abduction, about the bent bone's y axis, goes towards the thumb. At a
    finger's base both are against the palm, at the other joints against the bone before.
    """
    right = rotations * MIRROR_TURN if side == "left" else np.asarray(rotations)
    local = times(inverse(right[..., _PARENTS, :]), right[..., _FINGER_JOINTS, :])
    x, y, z = np.moveaxis(-matrices(times(inverse(_FROM_PARENT), local))[..., 2], -1, 0)
    found = np.full((*right.shape[:-1], 2), np.nan)
    found[..., _FINGER_JOINTS, 0] = np.degrees(np.arctan2(-y, -z))
    found[..., _FINGER_JOINTS, 1] = np.degrees(np.arcsin(np.clip(-x, -1.0, 1.0))) - _ZERO_DEG
    return found

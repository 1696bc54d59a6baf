"""The 26 hand joints of OpenXR from the 21 that are tracked (numpy only; any thread).

`XR_EXT_hand_tracking` asks for two that a camera does not see as points: the palm, and where the metacarpal bones of
four fingers begin. They are estimated and say so. Space: OpenXR's view space at the camera, x right, y up, z backwards,
metres; joints' axes as `realtime.rotations.hand_rotations` has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, MIDDLE_BASE, WRIST
from realtime.rotations.hand_rotations import rotation_confidence
from realtime.rotations.quaternions import from_matrices, matrices, square_to, times, unit

_FINGERS: Final = ("index", "middle", "ring", "little")
_PARTS: Final = ("metacarpal", "proximal", "intermediate", "distal", "tip")
OPENXR_JOINTS: Final = (
    "palm",
    "wrist",
    *(f"thumb_{part}" for part in ("metacarpal", "proximal", "distal", "tip")),
    *(f"{finger}_{part}" for finger in _FINGERS for part in _PARTS),
)
"""Names of `XrHandJointEXT` in its order, 0 to 25."""
_SOURCE: Final = np.array(
    [-1, WRIST, 3, 2, 1, 0, *(j for base in FINGER_BASES[1:] for j in (-1, *range(base, base - 4, -1)))]
)
"""(26,) which of our joints each one is; -1: none."""
ESTIMATED: Final = _SOURCE < 0
"""(26,) palm and four metacarpals."""
_PALM, _METACARPALS = 0, np.array([6, 11, 16, 21])
_KNUCKLES: Final = np.array(FINGER_BASES[1:])
_ALONG: Final = np.array([0.21, 0.23, 0.27, 0.30])
"""Where metacarpals begin on the way from wrist to knuckle: their mean lengths are 68, 65, 58, 54 mm (Buryanov and
Kotiuk, Proportions of hand segments, 2010) of the 86, 84, 80, 77 mm that we see."""
_RADII: Final = np.array(
    [
        *(0.19, 0.26),
        *(0.18, 0.183, 0.133, 0.099),
        *(0.19, 0.164, 0.144, 0.115, 0.081),
        *(0.19, 0.19, 0.140, 0.109, 0.081),
        *(0.19, 0.174, 0.125, 0.106, 0.081),
        *(0.19, 0.152, 0.104, 0.086, 0.056),
    ]
)
"""(26,) joint to skin, as a share of the way from wrist to middle knuckle: means of the generator's hands."""
_TRACKED_FROM: Final = 0.5
UP_FROM_CAMERA: Final = np.array([1.0, -1.0, -1.0])
"""Factors that turn the camera frame (y down, z forward) into y up, z back."""
UP_TURN: Final = np.array([1.0, 0.0, 0.0, 0.0])
"""The same as a quaternion."""
_VALID_BITS, _TRACKED_BITS = 0b0011, 0b1100


@dataclass(frozen=True, eq=False)
class OpenXRHands:
    """Any number of hands; `...` stands for their shape."""

    position_m: NDArray[np.float64]
    """(..., 26, 3); NaN for a hand that is not there."""
    orientation: NDArray[np.float64]
    """(..., 26, 4) x, y, z, w; NaN likewise."""
    radius_m: NDArray[np.float64]
    """(..., 26) distance to the skin, estimated from the hand's size; NaN likewise."""
    valid: NDArray[np.bool_]
    """(..., 26) the hand is there."""
    tracked: NDArray[np.bool_]
    """(..., 26) seen, not estimated, with a confidence of a half at least."""

    @property
    def location_flags(self) -> NDArray[np.uint64]:
        """(..., 26) `XrSpaceLocationFlags`: orientation and position valid (1, 2) and tracked (4, 8)."""
        return (self.valid * _VALID_BITS + self.tracked * _TRACKED_BITS).astype(np.uint64)


def openxr_hands(joints_cam_mm: NDArray, rotations: NDArray, joint_confidence: NDArray) -> OpenXRHands:
    """Joints (..., 21, 3) mm, their `hand_rotations` (..., 21, 4) and confidences (..., 21), of either side."""
    joints = np.asarray(joints_cam_mm, np.float64)
    position, orientation = joints[..., _SOURCE, :], np.asarray(rotations, np.float64)[..., _SOURCE, :]
    wrist, knuckles = joints[..., [WRIST], :], joints[..., _KNUCKLES, :]
    position[..., _METACARPALS, :] = wrist + _ALONG[:, None] * (knuckles - wrist)
    position[..., _PALM, :] = (position[..., _METACARPALS[1], :] + joints[..., MIDDLE_BASE, :]) / 2
    orientation[..., _METACARPALS, :] = _along(knuckles - wrist, rotations[..., [WRIST], :])
    orientation[..., _PALM, :] = orientation[..., _METACARPALS[1], :]
    length = np.linalg.norm(joints[..., MIDDLE_BASE, :] - joints[..., WRIST, :], axis=-1, keepdims=True)
    valid = np.isfinite(position).all(axis=-1) & np.isfinite(orientation).all(axis=-1)
    sure = rotation_confidence(joint_confidence)[..., _SOURCE] >= _TRACKED_FROM
    return OpenXRHands(
        position_m=position * UP_FROM_CAMERA / 1e3,
        orientation=times(UP_TURN, orientation),
        radius_m=_RADII * length / 1e3,
        valid=valid,
        tracked=valid & sure & ~ESTIMATED,
    )


def _along(bones: NDArray, wrist: NDArray) -> NDArray[np.float64]:
    """(..., 4, 4) rotations of bones (..., 4, 3) that flex about the wrist's x axis (..., 1, 4)."""
    z = -unit(bones)
    x = square_to(matrices(wrist)[..., 0], z)
    found = from_matrices(np.stack([x, np.cross(z, x), z], axis=-1))
    return np.where((found * wrist).sum(axis=-1, keepdims=True) < 0, -found, found)

"""The hand skeleton in InterHand2.6M's order (numpy only; any thread).

Each hand has 21 joints: thumb tip to thumb base (0-3), index (4-7), middle (8-11), ring (12-15) and little finger
(16-19), each from tip to base, and the wrist last (20). Two hands stack to 42 rows: right 0-20, left 21-41.
"Right" is the person's own right hand.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

Side = Literal["right", "left"]
SIDES: Final[tuple[Side, Side]] = ("right", "left")

JOINTS_PER_HAND: Final = 21
WRIST: Final = 20
MIDDLE_BASE: Final = 11
FINGERS: Final = ("thumb", "index", "middle", "ring", "little")
FINGER_BASES: Final = (3, 7, 11, 15, 19)
FINGER_TIPS: Final = (0, 4, 8, 12, 16)

JOINT_NAMES: Final = tuple(f"{finger}{k}" for finger in FINGERS for k in (4, 3, 2, 1)) + ("wrist",)
"""`thumb4` is the tip of the thumb, `thumb1` its base at the palm."""

PARENTS: Final = tuple(WRIST if j in FINGER_BASES else j + 1 for j in range(20)) + (-1,)
"""PARENTS[j] is the next joint towards the wrist; the wrist has none (-1)."""
WRIST_FIRST: Final = (WRIST, *(base - k for base in FINGER_BASES for k in range(4)))
"""The 21 joints in the order of OpenPose, MediaPipe and MANO's users: the wrist, then each finger from base to tip."""
WRIST_FIRST_ROWS: Final = np.array([WRIST_FIRST, WRIST_FIRST]) + [[0], [JOINTS_PER_HAND]]
"""(2, 21) their rows among the 42: the right hand's, the left one's."""

BONES: Final = tuple((j, parent) for j, parent in enumerate(PARENTS) if parent >= 0)
"""(child, parent) of the 20 bones of one hand."""
BONE_CHILD, BONE_PARENT = np.array(BONES).T
"""(20,) each: the joints at both ends of every bone."""

HAND_SLICES: Final[dict[Side, slice]] = {"right": slice(0, 21), "left": slice(21, 42)}
SWAP_HANDS: Final = np.r_[21:42, 0:21]
"""Index that exchanges the rows of both hands, as a mirrored picture needs it."""

WRISTS: Final = (WRIST, JOINTS_PER_HAND + WRIST)
"""Rows of the right and the left wrist among the 42."""

SIDE_RGB: Final[dict[Side, tuple[float, float, float]]] = {"right": (0.835, 0.369, 0.0), "left": (0.0, 0.447, 0.698)}
"""Red, green, blue (0..1) of each hand wherever hands are drawn: vermilion and blue of Okabe and Ito's set, which stay
apart under every common colour blindness."""


def other_side(side: Side) -> Side:
    """The other hand."""
    return SIDES[1 - SIDES.index(side)]

"""Fingers that close round the other hand joint by joint, as a hand does (numpy only; any thread).

A phalanx that touches stops the joints before it; those beyond it bend on, so that the finger lies round what it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.synth.hand.contact import Capsules, gaps_mm, hand_capsules
from training.synth.hand.model import HandSkeleton
from training.synth.hand.poses import DIP_PER_PIP, JointAngles

_COLUMNS: Final = (0, 2, 3)
_MOST_DEG: Final = np.array([86.0, 102.0, 66.0])
_STEP_DEG: Final = np.array([5.0, 7.0, 6.0])
_FINEST: Final = 0.26
"""Least part of a step: a touch is approached by halves and quarters of a step."""


def close_until_touch(
    angles: JointAngles,
    skeleton_of: Callable[[JointAngles], HandSkeleton],
    other: HandSkeleton,
    tolerance_mm: float,
    most_deg: float,
    which: tuple[int, ...] = (1, 2, 3, 4),
) -> JointAngles:
    """Bend these fingers joint by joint until each phalanx touches `other` or base and middle joint sum to `most_deg`.

    `skeleton_of` places the hand for a pose.
    """
    other_capsules = hand_capsules(other)
    bent = angles.fingers_deg.copy()
    first, part = dict.fromkeys(which, 0), dict.fromkeys(which, 1.0)
    while first:
        trial = bent.copy()
        for finger, joint in first.items():
            _bend(trial[finger], joint, part[finger])
        capsules = hand_capsules(skeleton_of(JointAngles(trial, angles.wrist_deg)), forearm=False)
        gaps = gaps_mm(capsules, other_capsules).min(axis=1)
        for finger in tuple(first):
            pressed = _pressed(gaps, capsules, finger, tolerance_mm)
            if pressed is None:
                bent[finger] = trial[finger]
            elif part[finger] > _FINEST:
                part[finger] /= 2
            else:
                first[finger], part[finger] = max(first[finger], pressed) + 1, 1.0
            if first[finger] > 2 or _is_closed(bent[finger], first[finger], most_deg):
                del first[finger]
    return JointAngles(bent, angles.wrist_deg)


def _pressed(gaps: NDArray, capsules: Capsules, finger: int, tolerance_mm: float) -> int | None:
    """The outermost phalanx of a finger that is too deep; None where there is none."""
    deep = np.flatnonzero(gaps[capsules.finger == finger] < tolerance_mm)
    return int(deep[-1]) if len(deep) else None


def _is_closed(finger: NDArray, first: int, most_deg: float) -> bool:
    if finger[0] + finger[2] >= most_deg:
        return True
    return all(finger[_COLUMNS[joint]] >= _MOST_DEG[joint] - 1e-9 for joint in range(first, 3))


def _bend(finger: NDArray, first: int, part: float) -> None:
    """A part of a step of the joints from `first` (0 base, 1 middle, 2 end) on; the end one follows the middle one."""
    for joint in range(first, 3):
        column = _COLUMNS[joint]
        most = max(_MOST_DEG[joint], finger[column])
        finger[column] = min(finger[column] + part * _STEP_DEG[joint], most)
    if first < 2:
        finger[3] = max(finger[3], min(DIP_PER_PIP * finger[2], _MOST_DEG[2]))

"""How a hand closes on a solid: gaps of its capsules to the solid, fingers that bend until they touch (any thread).

Everything here is in the frame of a right hand, mm: origin at the wrist, x to the thumb, y to the finger tips, z out of
the palm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.synth.hand.contact import PALM, SELF_TOLERANCE_MM, Capsules, hand_capsules, self_gap_mm
from training.synth.hand.model import HandSkeleton, Placement, hand_skeleton
from training.synth.hand.poses import DIP_PER_PIP, LOWER_DEG, UPPER_DEG, JointAngles
from training.synth.hand.shape import HandShape
from training.synth.person.solids import Distance

FLESH_GIVES_MM: Final = -2.5
"""How deep a solid may press into capsules."""
_AT_HAND: Final = Placement(np.zeros(3), np.eye(3))
_ALONG: Final = np.linspace(0, 1, 5)[:, None, None]
_STEP_DEG: Final = np.array([3.0, 4.0, 4.0])
_THUMBS_DEG: Final = tuple(
    np.clip((flexion, abduction, middle, end), LOWER_DEG[0], UPPER_DEG[0])
    for flexion in (-24, -12, 0, 12, 24)
    for abduction in (-8, 6, 16, 24)
    for middle, end in ((-6, -4), (6, 12), (20, 28), (38, 50))
)
"""Where `lay_thumb` tries to lay a thumb."""


@dataclass(frozen=True)
class Pose:
    """Where a solid is in the hand's frame."""

    rotation: NDArray[np.float64]
    """(3, 3) hand_from_solid."""
    shift_mm: NDArray[np.float64]
    """(3,)."""

    def moved(self, shift_mm: NDArray) -> Pose:
        """Shifted by (3,)."""
        return Pose(self.rotation, self.shift_mm + shift_mm)


def skeleton_at_hand(shape: HandShape, angles: JointAngles) -> HandSkeleton:
    """The right hand in its own frame."""
    return hand_skeleton(shape, angles, _AT_HAND, "right")


def solid_gaps_mm(capsules: Capsules, distance: Distance, pose: Pose) -> NDArray[np.float64]:
    """(C,) gap of each capsule to the solid, negative where they overlap."""
    points = capsules.start_mm + _ALONG * (capsules.end_mm - capsules.start_mm)
    local = (points.reshape(-1, 3) - pose.shift_mm) @ pose.rotation
    return np.asarray(distance(local).reshape(points.shape[:2]).min(axis=0) - capsules.radius_mm)


def slide_away(capsules: Capsules, distance: Distance, pose: Pose, direction: NDArray, most_mm: float) -> Pose | None:
    """The solid moved along a direction (3,) until it presses no deeper than flesh gives; None beyond `most_mm`."""
    for shift in np.arange(0, most_mm, 1.0):
        moved = pose.moved(shift * direction)
        if solid_gaps_mm(capsules, distance, moved).min() >= FLESH_GIVES_MM:
            return moved
    return None


def close_fingers(
    shape: HandShape, angles: JointAngles, distance: Distance, pose: Pose, fingers: Iterable[int] = (1, 2, 3, 4)
) -> JointAngles:
    """Bend the fingers joint by joint: a phalanx that touches stops the joints before it, those beyond it go on."""
    bent = angles.fingers_deg.copy()
    free = dict.fromkeys(fingers, 0)
    while free:
        trial = bent.copy()
        for finger, first in free.items():
            _bend(trial[finger], first)
        capsules = hand_capsules(skeleton_at_hand(shape, JointAngles(trial, angles.wrist_deg)), forearm=False)
        gaps = solid_gaps_mm(capsules, distance, pose)
        for finger, first in tuple(free.items()):
            pressed = np.flatnonzero(gaps[capsules.finger == finger] < FLESH_GIVES_MM)
            if len(pressed):
                free[finger] = max(first, int(pressed[-1])) + 1
            elif np.array_equal(trial[finger], bent[finger]):
                free[finger] = 3
            else:
                bent[finger] = trial[finger]
            if free[finger] >= 3:
                del free[finger]
    return JointAngles(bent, angles.wrist_deg)


def _bend(finger: NDArray[np.float64], first: int) -> None:
    """One step of the joints from `first` (0 base, 1 middle, 2 end) on; the end joint mostly follows the middle one."""
    most = np.array([84.0, 100.0, 62.0])
    for joint in range(first, 3):
        column = (0, 2, 3)[joint]
        finger[column] = min(finger[column] + _STEP_DEG[joint], most[joint])
    if first < 2:
        finger[3] = DIP_PER_PIP * finger[2]


def lay_thumb(
    shape: HandShape, angles: JointAngles, distance: Distance, pose: Pose, front: NDArray | None = None
) -> JointAngles | None:
    """The thumb where it lies nearest to the solid without entering it; its tip beyond the solid along (3,) `front`.

    None where there is no such place.
    """
    best, least = None, np.inf
    for thumb in _THUMBS_DEG:
        fingers = angles.fingers_deg.copy()
        fingers[0] = thumb
        trial = JointAngles(fingers, angles.wrist_deg)
        hand = skeleton_at_hand(shape, trial)
        capsules = hand_capsules(hand, forearm=False)
        gaps = solid_gaps_mm(capsules.select(capsules.finger == 0), distance, pose)
        if gaps.min() < FLESH_GIVES_MM - 1 or (front is not None and (hand.joints_mm[0] - pose.shift_mm) @ front < 0):
            continue
        far = float(gaps[2] + 0.5 * gaps[1])
        if far < least and self_gap_mm(hand, finger=0) >= SELF_TOLERANCE_MM:
            best, least = trial, far
    return best


def deepest_mm(shape: HandShape, angles: JointAngles, distance: Distance, pose: Pose) -> float:
    """Smallest gap of hand and forearm to the solid."""
    return float(solid_gaps_mm(hand_capsules(skeleton_at_hand(shape, angles)), distance, pose).min())


def touching(shape: HandShape, angles: JointAngles, distance: Distance, pose: Pose, within_mm: float) -> set[int]:
    """Fingers (0 thumb .. 4, and `PALM`) whose flesh is within a distance of the solid."""
    capsules = hand_capsules(skeleton_at_hand(shape, angles), forearm=False)
    gaps = solid_gaps_mm(capsules, distance, pose)
    return {finger for finger in range(PALM, 5) if gaps[capsules.finger == finger].min() < within_mm}

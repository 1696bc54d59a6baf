"""Contact between hands: capsules around the bones and the gaps between them (numpy only; any thread).

A gap is the distance of two capsule surfaces, negative where they overlap. Real hands in contact show gaps down to
-6 mm with these radii (flesh gives way), so a tolerance of -4 to -5 mm looks right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engines.skeleton import WRIST
from training.synth.hand.asset import finger_joint
from training.synth.hand.model import HandSkeleton
from training.synth.hand.poses import DIP_PER_PIP, JointAngles
from training.synth.hand.shape import MEAN_GIRTH, NEUTRAL_GIRTH

CONTACT_TOLERANCE_MM: Final = -4.0
SELF_TOLERANCE_MM: Final = -5.5
PALM: Final = -1
"""`Capsules.finger` of palm and forearm."""

_PALM_ENDS: Final = np.array([(WRIST, 7), (WRIST, 11), (WRIST, 15), (WRIST, 19), (7, 11), (11, 15), (15, 19)]).T
_FINGER_ENDS: Final = np.array([(finger_joint(f, k), finger_joint(f, k + 1)) for f in range(5) for k in range(3)]).T
_PALM_RADII: Final = (13.0, 13.0, 13.0, 12.0, 11.0, 11.0, 10.0)
_PHALANX_RADII: Final = ((14.0, 11.0, 9.0), (9.5, 8.5, 7.0), (9.5, 8.5, 7.0), (9.0, 8.0, 6.8), (8.0, 7.0, 6.0))
_PAD_RADII: Final = (12.0, 13.0)
"""Thenar and hypothenar."""
_THENAR: Final = 7
"""Which capsule the ball of the thumb is."""
THUMB_PLACES_DEG: Final = tuple(
    (flexion, abduction, middle, end)
    for flexion in (-14, -2, 10, 22)
    for abduction in (-23, -10, 5, 20)
    for middle, end in ((0, 5), (20, 30), (42, 55))
)
"""Where `rest_thumb` tries to lay a thumb."""
_FOREARM_RADII: Final = (26.0, 36.0)
"""Of the mean hand."""
_ROUNDING_MM: Final = 0.01
"""Far more than a gap is wrong by, also of segments that are nearly parallel."""
_CAPSULE_FINGER: Final = np.array([PALM] * 9 + [finger for finger in range(5) for _ in range(3)] + [PALM] * 2)
_THUMB: Final = np.array([_THENAR, *np.flatnonzero(_CAPSULE_FINGER == 0)])
"""The ball of the thumb and its phalanges."""
_HAND: Final = slice(24)
"""All but the forearm."""
_CAPSULE_PHALANX: Final = np.array([0] * 9 + [0, 1, 2] * 5 + [0] * 2)


@dataclass(frozen=True)
class Capsules:
    """Rounded cylinders that stand for a hand's flesh, camera frame, mm."""

    start_mm: NDArray[np.float64]
    """(C, 3)."""
    end_mm: NDArray[np.float64]
    """(C, 3)."""
    radius_mm: NDArray[np.float64]
    """(C,)."""
    finger: NDArray[np.int64]
    """(C,) 0 thumb .. 4 little finger, -1 palm and forearm."""
    phalanx: NDArray[np.int64]
    """(C,) 0 nearest to the palm; 0 for palm and forearm."""

    def select(self, which: ArrayLike | slice) -> Capsules:
        """The capsules of a mask, an index or a slice."""
        index = which if isinstance(which, slice) else np.asarray(which)
        return Capsules(*(values[index] for values in vars(self).values()))

    def moved(self, shift_mm: NDArray) -> Capsules:
        """The capsules shifted by (3,) mm."""
        return Capsules(self.start_mm + shift_mm, self.end_mm + shift_mm, self.radius_mm, self.finger, self.phalanx)

    def turned(self, rotation: NDArray, shift_mm: NDArray) -> Capsules:
        """The capsules turned by (3, 3) about the origin, then shifted by (3,) mm."""
        start, end = self.start_mm @ rotation.T, self.end_mm @ rotation.T
        return Capsules(start, end, self.radius_mm, self.finger, self.phalanx).moved(shift_mm)


def hand_capsules(hand: HandSkeleton, forearm: bool = True) -> Capsules:
    """Palm, thenar and hypothenar pads, fingers and (by default) forearm of a hand; radii grow with its girth."""
    joints = hand.joints_mm
    pads_start, pads_end = _pads(joints)
    middle = (joints[WRIST] + hand.elbow_mm) / 2
    capsules = Capsules(
        start_mm=np.vstack([joints[_PALM_ENDS[0]], pads_start, joints[_FINGER_ENDS[0]], joints[WRIST], middle]),
        end_mm=np.vstack([joints[_PALM_ENDS[1]], pads_end, joints[_FINGER_ENDS[1]], middle, hand.elbow_mm]),
        radius_mm=_radii_mm(*hand.finger_girth.tolist()),
        finger=_CAPSULE_FINGER,
        phalanx=_CAPSULE_PHALANX,
    )
    return capsules if forearm else capsules.select(_HAND)


@lru_cache(maxsize=64)
def _radii_mm(*finger_girth: float) -> NDArray[np.float64]:
    """(26,) of the capsules of `hand_capsules`."""
    girth = np.array(finger_girth)
    relative = girth / MEAN_GIRTH
    palm = np.multiply(_PALM_RADII + _PAD_RADII, relative[1:].mean())
    fingers = (np.array(_PHALANX_RADII) * relative[:, None]).ravel()
    return np.concatenate([palm, fingers, np.multiply(_FOREARM_RADII, girth.mean() / NEUTRAL_GIRTH)])


def _pads(joints: NDArray) -> tuple[NDArray, NDArray]:
    """Start and end points (2, 3) of the thenar and the hypothenar pad."""
    thenar = (0.5 * (joints[WRIST] + joints[3]), 0.6 * joints[2] + 0.4 * joints[11])
    hypothenar = (0.8 * joints[WRIST] + 0.2 * joints[19], 0.3 * joints[WRIST] + 0.7 * joints[19])
    return np.stack([thenar[0], hypothenar[0]]), np.stack([thenar[1], hypothenar[1]])


def segment_distance(p1: NDArray, q1: NDArray, p2: NDArray, q2: NDArray) -> NDArray[np.float64]:
    """Distance between segments p1-q1 and p2-q2, each (..., 3), broadcast (Ericson, Real-Time Collision Detection)."""
    d1, d2, r = q1 - p1, q2 - p2, p1 - p2
    a, e, f, c, b = _dot(d1, d1), _dot(d2, d2), _dot(d2, r), _dot(d1, r), _dot(d1, d2)
    denominator = a * e - b * b
    parallel = denominator <= 1e-6
    s = np.where(parallel, 0.0, _from_0_to_1((b * f - c * e) / np.where(parallel, 1.0, denominator)))
    t = (b * s + f) / e
    s = np.where(t < 0, _from_0_to_1(-c / a), np.where(t > 1, _from_0_to_1((b - c) / a), s))
    t = _from_0_to_1(t)
    apart = r + s[..., None] * d1 - t[..., None] * d2
    return np.sqrt(_dot(apart, apart))


def _dot(one: NDArray, other: NDArray) -> NDArray[np.float64]:
    """Product of vectors (..., 3), broadcast: a sum over so short an axis takes numpy three times as long."""
    return np.asarray(one[..., 0] * other[..., 0] + one[..., 1] * other[..., 1] + one[..., 2] * other[..., 2])


def _from_0_to_1(values: NDArray) -> NDArray[np.float64]:
    """`np.clip`, in half its time."""
    return np.asarray(np.minimum(np.maximum(values, 0.0), 1.0))


def gaps_mm(one: Capsules, other: Capsules) -> NDArray[np.float64]:
    """(C1, C2) gap of every capsule of one set to every capsule of the other."""
    distance = segment_distance(one.start_mm[:, None], one.end_mm[:, None], other.start_mm, other.end_mm)
    return distance - one.radius_mm[:, None] - other.radius_mm


def gap_mm(one: HandSkeleton, other: HandSkeleton, forearm: bool = True) -> float:
    """Smallest gap between two hands."""
    return float(gaps_mm(hand_capsules(one, forearm), hand_capsules(other, forearm)).min())


def self_gap_mm(hand: HandSkeleton, finger: int | None = None) -> float:
    """Smallest gap between different fingers of one hand, or of one finger (0..4) to all others.

    The first phalanges always touch each other and do not count.
    """
    capsules = hand_capsules(hand, forearm=False)
    gaps, owner, phalanx = gaps_mm(capsules, capsules), capsules.finger, capsules.phalanx
    counts = (owner[:, None] != owner) & (owner[:, None] != PALM) & (owner != PALM)
    counts &= (phalanx[:, None] > 0) | (phalanx > 0)
    if finger is not None:
        counts &= owner[:, None] == finger
    return float(gaps[counts].min())


def slide_apart_mm(
    fixed: HandSkeleton,
    moving: HandSkeleton,
    direction: NDArray,
    tolerance_mm: float = CONTACT_TOLERANCE_MM,
    into_pocket: bool = False,
    most_mm: float = 330.0,
) -> float:
    """Shift >= 0 of `moving` along the unit `direction` that brings all gaps to the tolerance or above.

    By default the shift beyond which the hands never touch again; with `into_pocket` the smallest one, which leaves
    interlocked fingers interlocked. `most_mm` if there is none below it.
    """
    return slide_capsules_apart_mm(
        hand_capsules(fixed), hand_capsules(moving), direction, tolerance_mm, into_pocket, most_mm
    )


def slide_capsules_apart_mm(
    one: Capsules, other: Capsules, direction: NDArray, tolerance_mm: float, into_pocket: bool, most_mm: float
) -> float:
    """As `slide_apart_mm`, for the capsules that count: `other` moves."""
    touches = Sliding(one, other, direction, tolerance_mm)
    shifts = np.arange(0.0, most_mm, 1.0 if into_pocket else 4.0)
    last = _last_touch(shifts, touches, into_pocket)
    if last is None:
        return 0.0
    return end_of_touch(touches, float(last), float(last + shifts[1]), 8)


class Sliding:
    """`sliding(shift_mm)`: whether `other`, shifted so far along the unit `direction`, touches `one`.

    A gap changes by no more than the shift, so most shifts need not be looked at: one whose gap is 30 mm above the
    tolerance speaks for all that are within 30 mm of it.
    """

    def __init__(self, one: Capsules, other: Capsules, direction: NDArray, tolerance_mm: float) -> None:
        self._one, self._other, self._direction, self._tolerance_mm = one, other, direction, tolerance_mm
        self._seen: list[tuple[float, float, bool]] = []
        """A shift, how far from it the answer is the same, and the answer."""

    def __call__(self, shift_mm: float) -> bool:
        """Whether a gap is below the tolerance."""
        for at, reach, touches in self._seen:
            if abs(shift_mm - at) < reach:
                return touches
        gap = float(gaps_mm(self._one, self._other.moved(shift_mm * self._direction)).min())
        touches = gap < self._tolerance_mm
        self._seen.append((shift_mm, abs(gap - self._tolerance_mm) - _ROUNDING_MM, touches))
        return touches


def end_of_touch(touches: Callable[[float], bool], low: float, high: float, halvings: int) -> float:
    """Where, between a shift that touches and one that does not, contact ends: just beyond it."""
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if touches(middle) else (low, middle)
    return high


def _last_touch(shifts: NDArray, touches: Callable[[float], bool], first_run: bool) -> float | None:
    """The last shift of all (or of the run at the start) that touches; None where there is no such."""
    last = None
    for shift in shifts:
        if touches(shift):
            last = float(shift)
        elif first_run:
            break
    return last


def curl_until_touch(
    angles: JointAngles,
    skeleton_of: Callable[[JointAngles], HandSkeleton],
    other: HandSkeleton,
    tolerance_mm: float = CONTACT_TOLERANCE_MM,
    most_deg: float = 150.0,
    step_deg: tuple[float, float] = (3.0, 4.0),
    which: tuple[int, ...] = (1, 2, 3, 4),
) -> JointAngles:
    """Bend each of these fingers in steps until it touches `other` or its two flexions sum to `most_deg`.

    `skeleton_of` places the hand for a pose; `step_deg` is how far base and middle joint bend in a step.
    """
    other_capsules = hand_capsules(other)
    fingers, active = angles.fingers_deg.copy(), set(which)
    while active:
        trial = fingers.copy()
        for finger in active:
            trial[finger, 0] = min(trial[finger, 0] + step_deg[0], 88)
            trial[finger, 2] = min(trial[finger, 2] + step_deg[1], 100)
            trial[finger, 3] = DIP_PER_PIP * trial[finger, 2]
        capsules = hand_capsules(skeleton_of(JointAngles(trial, angles.wrist_deg)), forearm=False)
        gaps = gaps_mm(capsules, other_capsules).min(axis=1)
        for finger in tuple(active):
            bent = trial[finger, 0] + trial[finger, 2]
            done = bent >= most_deg or bent <= fingers[finger, 0] + fingers[finger, 2]
            if done or gaps[capsules.finger == finger].min() < tolerance_mm:
                active.discard(finger)
            else:
                fingers[finger] = trial[finger]
    return JointAngles(fingers, angles.wrist_deg)


def rest_thumb(
    angles: JointAngles,
    skeleton_of: Callable[[JointAngles], HandSkeleton],
    other: HandSkeleton,
    tolerance_mm: float = CONTACT_TOLERANCE_MM,
) -> JointAngles | None:
    """Lay the thumb where it is nearest to `other` without running into it or into its own fingers; None if nowhere."""
    other_capsules = hand_capsules(other)
    best, least = None, np.inf
    for thumb in THUMB_PLACES_DEG:
        fingers = angles.fingers_deg.copy()
        fingers[0] = thumb
        trial = JointAngles(fingers, angles.wrist_deg)
        hand = skeleton_of(trial)
        own = hand_capsules(hand, forearm=False)
        ball, *thumb_gaps = gaps_mm(own.select(_THUMB), other_capsules).min(axis=1).tolist()  # it moves with the thumb
        gap = min(thumb_gaps)
        if tolerance_mm <= gap < least and ball >= tolerance_mm and self_gap_mm(hand, finger=0) >= SELF_TOLERANCE_MM:
            best, least = trial, gap
    return best

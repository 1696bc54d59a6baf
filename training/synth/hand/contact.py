"""Contact between hands: capsules around the bones and the gaps between them (numpy only; any thread).

A gap is the distance of two capsule surfaces, negative where they overlap. Real hands in contact show gaps down to
-6 mm with these radii (flesh gives way), so a tolerance of -4 to -5 mm looks right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
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
_PADS: Final = np.array([WRIST, WRIST, 2, WRIST]), np.array([3, 19, 11, 19])
_PADS_SHARES: Final = np.array([[0.5], [0.8], [0.6], [0.3]]), np.array([[0.5], [0.2], [0.4], [0.7]])
"""Where thenar and hypothenar pad start, and where they end: of each point two joints, and the share of each."""
_STARTS: Final = np.array([*_PALM_ENDS[0], 21, 22, *_FINGER_ENDS[0], WRIST, 25])
_ENDS: Final = np.array([*_PALM_ENDS[1], 23, 24, *_FINGER_ENDS[1], 25, 26])
"""Of the capsules, among the 21 joints, the pads' four points, the middle of the forearm and the elbow."""
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
    points = np.empty((27, 3))
    points[:21] = joints = hand.joints_mm
    points[21:25] = _PADS_SHARES[0] * joints[_PADS[0]] + _PADS_SHARES[1] * joints[_PADS[1]]
    points[25] = (joints[WRIST] + hand.elbow_mm) / 2
    points[26] = hand.elbow_mm
    which = slice(None) if forearm else _HAND
    return Capsules(
        start_mm=points[_STARTS[which]],
        end_mm=points[_ENDS[which]],
        radius_mm=_radii_mm(*hand.finger_girth.tolist())[which],
        finger=_CAPSULE_FINGER[which],
        phalanx=_CAPSULE_PHALANX[which],
    )


@lru_cache(maxsize=64)
def _radii_mm(*finger_girth: float) -> NDArray[np.float64]:
    """(26,) of the capsules of `hand_capsules`."""
    girth = np.array(finger_girth)
    relative = girth / MEAN_GIRTH
    palm = np.multiply(_PALM_RADII + _PAD_RADII, relative[1:].mean())
    fingers = (np.array(_PHALANX_RADII) * relative[:, None]).ravel()
    return np.concatenate([palm, fingers, np.multiply(_FOREARM_RADII, girth.mean() / NEUTRAL_GIRTH)])


def segment_distance(p1: NDArray, q1: NDArray, p2: NDArray, q2: NDArray) -> NDArray[np.float64]:
    """Distance between segments p1-q1 and p2-q2, each (..., 3), broadcast (Ericson, Real-Time Collision Detection)."""
    axes = max(points.ndim for points in (p1, q1, p2, q2))
    p1, q1, p2, q2 = (_axis_first(points, axes) for points in (p1, q1, p2, q2))
    d1, d2, r = q1 - p1, q2 - p2, p1 - p2
    a, e, f, c, b = _dot(d1, d1), _dot(d2, d2), _dot(d2, r), _dot(d1, r), _dot(d1, d2)
    denominator = a * e - b * b
    parallel = denominator <= 1e-6
    s = np.where(parallel, 0.0, _from_0_to_1((b * f - c * e) / np.where(parallel, 1.0, denominator)))
    beyond = (b * s + f) / e
    t = _from_0_to_1(beyond)
    s = np.where(t == beyond, s, _from_0_to_1((b * t - c) / a))
    apart = r + s * d1 - t * d2
    return np.asarray(np.sqrt(_dot(apart, apart)))


def _axis_first(points: NDArray, axes: int) -> NDArray[np.float64]:
    """(3, ...) for (..., 3), with so many axes in all: numpy takes half as long over numbers that lie in a row."""
    turned = points.transpose(-1, *range(points.ndim - 1))
    return np.ascontiguousarray(turned).reshape(3, *(1,) * (axes - points.ndim), *points.shape[:-1])


def _dot(one: NDArray, other: NDArray) -> NDArray[np.float64]:
    """Product of vectors (3, ...), broadcast: a sum over so short an axis takes numpy three times as long."""
    x, y, z = one * other
    return np.asarray(x + y + z)


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
    one, other = (capsules.select(index) for index in _counted(finger))
    distance = segment_distance(one.start_mm, one.end_mm, other.start_mm, other.end_mm)
    return float((distance - one.radius_mm - other.radius_mm).min())


@cache
def _counted(finger: int | None) -> NDArray[np.int64]:
    """(2, N) the pairs of capsules whose gaps `self_gap_mm` looks at."""
    owner, phalanx = _CAPSULE_FINGER[_HAND], _CAPSULE_PHALANX[_HAND]
    counts = (owner[:, None] != owner) & (owner[:, None] != PALM) & (owner != PALM)
    counts &= (phalanx[:, None] > 0) | (phalanx > 0)
    if finger is not None:
        counts &= owner[:, None] == finger
    return np.stack(np.nonzero(counts))


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

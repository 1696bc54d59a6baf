"""The ways in which two hands meet, each a random plan of where both are before contact (numpy; any thread).

Plans are made in the person frame of `arms.py`, around the origin; `PAIR_SHARE` names them. The left hand is then slid
along `slide` and fingers are bent (see `pair_contact.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, WRIST, Side, other_side
from training.synth.hand.model import HandSkeleton, HandState
from training.synth.hand.shape import HandShape
from training.synth.pair.arms import Stance, sample_arm, sample_fingers
from training.synth.pair.families import FAMILIES, family_plan
from training.synth.pair.grasp import grasp
from training.synth.pair.plan import KNUCKLES, PairPlan, facing, hand_about, in_order, palm_center
from training.synth.person.appearance import unit


def _tilted(rng: np.random.Generator, rotation: NDArray, deviation_deg: float) -> NDArray[np.float64]:
    return Rotation.from_rotvec(rng.normal(0, deviation_deg, 3), degrees=True).as_matrix() @ rotation


def _cross(rng: np.random.Generator, shape: HandShape, stance: Stance) -> PairPlan:
    """One hand before the other, pointing across each other."""
    front = rng.choice([-1.0, 1.0])
    states = []
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        across = np.radians(rng.uniform(10, 75))
        palm = [rng.normal(0, 0.35), 0, rng.choice([-1.0, 1.0])]
        rotation = facing([sign * np.sin(across), -np.cos(across), rng.normal(0, 0.25)], palm)
        center = [sign * rng.uniform(-10, 45), rng.normal(0, 28), 0]
        states.append(hand_about(side, sample_fingers(rng, shape), rotation, center, shape))
    slide = unit(np.array([rng.normal(0, 0.15), rng.normal(0, 0.15), front]))
    curl = (SIDES[rng.integers(2)],) if rng.random() < 0.3 else ()
    return PairPlan(
        states[0],
        states[1],
        slide=slide,
        curl=curl,
        curl_most_deg=rng.uniform(60, 150),
        apart_mm=_maybe_apart(rng, 0.4),
    )


def _side(rng: np.random.Generator, shape: HandShape, stance: Stance) -> PairPlan:
    """Side by side, both palms to the same side or not."""
    states = []
    palm = rng.choice([-1.0, 1.0])
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        roll = np.radians(rng.normal(8, 15)) * sign
        turned = -palm if rng.random() < 0.08 else palm
        rotation = _tilted(rng, facing([np.sin(roll), -np.cos(roll), 0], [rng.normal(0, 0.3), 0, turned]), 8)
        states.append(hand_about(side, sample_fingers(rng, shape), rotation, [0, *rng.normal(0, 18, 2)], shape))
    return PairPlan(states[0], states[1], slide=np.array([1.0, 0, 0]), apart_mm=_maybe_apart(rng, 0.5))


def _near(rng: np.random.Generator, shape: HandShape, stance: Stance) -> PairPlan:
    """Two hands on their own arms, near each other."""
    return apart(rng, *_two_arms(rng, shape, stance))


def apart(rng: np.random.Generator, right: HandState, left: HandState) -> PairPlan:
    """Two hands whose palms are at the origin, side by side without contact."""
    shift = rng.uniform(95, 270) * unit(np.array([1.0, rng.normal(0, 0.45), rng.normal(0, 0.45)]))
    return PairPlan(right, left.moved(shift), np.array([1.0, 0, 0]), apart_mm=rng.uniform(3, 15), turn=False, elbows=())


def _touch(rng: np.random.Generator, shape: HandShape, stance: Stance) -> PairPlan:
    """A finger tip of one hand on some place of the other."""
    right, left = _two_arms(rng, shape, stance)
    tip, place = 4 * rng.integers(0, 5), rng.integers(0, 21)
    one, other = right.skeleton(shape).joints_mm, left.skeleton(shape).joints_mm
    shift = one[place] - other[tip] if rng.random() < 0.5 else one[tip] - other[place]
    slide = unit(np.array([1.0, 0, 0]) + rng.normal(0, 0.7, 3))
    return PairPlan(right, left.moved(shift), slide, into_pocket=True, turn=False, elbows=())


def _over(rng: np.random.Generator, shape: HandShape, stance: Stance) -> PairPlan:
    """One palm on the back, the palm or the fist of the other hand."""
    holder: Side = SIDES[rng.integers(2)]
    held = other_side(holder)
    mode = "fist" if rng.random() < 0.4 else None
    base = facing([rng.normal(0, 0.3), -0.6, -0.6], [rng.normal(0, 0.4), 0.7, -0.7])
    under = hand_about(held, sample_fingers(rng, shape, mode), base, np.zeros(3), shape)
    normal = (-base[:, 2], base[:, 2], base[:, 1])[rng.choice(3, p=[0.6, 0.2, 0.2] if mode else [0.75, 0.25, 0])]
    inward = np.array([1.0 if holder == "right" else -1.0, -0.3, 0.0])
    fingers = inward + rng.normal(0, 0.4, 3) if rng.random() < 0.55 else base[:, 1] + rng.normal(0, 0.25, 3)
    open_hand = sample_fingers(rng, shape, "open")
    over = hand_about(holder, open_hand, facing(fingers, -normal), rng.normal(0, 9, 3), shape)
    return replace(
        in_order(over, under, normal),
        most_mm=75.0,
        curl=(holder,),
        curl_most_deg=rng.uniform(40, 160),
        thumbs=(holder,),
    )


def _hold(rng: np.random.Generator, shape: HandShape, stance: Stance) -> PairPlan:
    """One hand round the other's wrist or fingers."""
    holder: Side = SIDES[rng.integers(2)]
    right, left = _two_arms(rng, shape, stance)
    held = left if holder == "right" else right
    start, end = _held_part(rng, held.skeleton(shape))
    return replace(grasp(rng, shape, holder, held, start, end), turn=False, elbows=(holder,))


def _held_part(rng: np.random.Generator, hand: HandSkeleton) -> tuple[NDArray, NDArray]:
    """Two ends of what is held: forearm behind the wrist, or fingers."""
    joints = hand.joints_mm
    if rng.random() < 0.55:
        towards = unit(hand.elbow_mm - joints[WRIST])
        return joints[WRIST] + 12 * towards, joints[WRIST] + 70 * towards
    if rng.random() < 0.5:
        return joints[list(KNUCKLES)].mean(axis=0), joints[[5, 9, 13, 17]].mean(axis=0)
    finger = rng.integers(0, 5)
    return joints[4 * finger + 2], joints[4 * finger]


def _two_arms(rng: np.random.Generator, shape: HandShape, stance: Stance) -> tuple[HandState, HandState]:
    right, left = (centered(sample_arm(rng, shape, side, stance), shape) for side in SIDES)
    return right, left


def centered(state: HandState, shape: HandShape) -> HandState:
    """The hand with the middle of its palm at the origin."""
    return state.moved(-palm_center(state.skeleton(shape)))


def _maybe_apart(rng: np.random.Generator, share: float) -> float:
    return float(rng.exponential(22)) if rng.random() < share else 0.0


Planner = Callable[[np.random.Generator, HandShape, Stance], PairPlan]


def _in_front(name: str) -> Planner:
    return lambda rng, shape, stance: family_plan(rng, shape, name)


PLANNERS: Final[dict[str, Planner]] = {
    "near": _near,
    "side": _side,
    "touch": _touch,
    "cross": _cross,
    "hold": _hold,
    "over": _over,
    **{name: _in_front(name) for name in FAMILIES},
}
_FAMILY_SHARE: Final = 0.64
PAIR_SHARE: Final[dict[str, float]] = {
    "near": 0.12,
    "side": 0.04,
    "touch": 0.04,
    "cross": 0.06,
    "hold": 0.02,
    "over": 0.02,
    "carry": 0.06,
    **{name: _FAMILY_SHARE / len(FAMILIES) for name in FAMILIES},
}
"""Shares of the ways two hands meet; they sum to 1. `carry` is an object between both hands (`held.py`)."""

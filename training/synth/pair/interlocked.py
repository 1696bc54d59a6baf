"""Hands with interlocked fingers before contact is solved (numpy; any thread)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from engines.skeleton import SIDES
from training.synth.hand.contact import hand_capsules, slide_capsules_apart_mm
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import DIP_PER_PIP, SPREAD_SHARE, JointAngles
from training.synth.hand.shape import MEAN_GIRTH, HandShape
from training.synth.pair.plan import KNUCKLES, PairPlan, facing

FINGER_WIDTH_MM: Final = 12.8
"""How far aside interlocked hands stand: half the distance of two spread fingers where they are crossed."""
CLASP_KNUCKLES_MM: Final = 70.0
"""Most distance of the rows of knuckles of interlocked hands."""
_TRIES: Final = 20


def interlocked(rng: np.random.Generator, shape: HandShape, soft_mm: float = 1.5) -> PairPlan:
    """Both rows of knuckles side by side, half a finger aside, fingers up and leaning to the other hand.

    A small search: only where the fingers find the gaps do the knuckles come near each other.
    """
    row = FINGER_WIDTH_MM * float(shape.finger_girth.mean()) / MEAN_GIRTH * rng.choice([-1.0, 1.0])
    plan = _draw(rng, shape, row)
    for _ in range(_TRIES):
        one, other = (hand_capsules(s.skeleton(shape), forearm=False) for s in (plan.right, plan.left))
        one, other = one.select(one.finger != 0), other.select(other.finger != 0)
        if slide_capsules_apart_mm(one, other, plan.slide, -4.0 - soft_mm, True, plan.most_mm) < plan.most_mm - 4:
            break
        plan = _draw(rng, shape, row)
    return replace(plan, soft_mm=soft_mm)


def _draw(rng: np.random.Generator, shape: HandShape, row_mm: float) -> PairPlan:
    states = []
    spread, bend = rng.uniform(10, 18), rng.uniform(0, 30)
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        lean = np.radians(rng.uniform(8, 42))
        fingers = rng.normal(0, 1.5, (5, 4))
        fingers[0] = 2, -20, 0, 5
        fingers[1:, 0] += rng.uniform(-5, 20)
        fingers[1:, 1] += spread * SPREAD_SHARE
        fingers[1:, 2] += bend
        fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2]
        rotation = facing([sign * np.sin(lean), -np.cos(lean), 0], [sign * np.cos(lean), np.sin(lean), 0])
        state = HandState(side, JointAngles(fingers, np.zeros(3)).limited(), Placement(np.zeros(3), rotation))
        knuckles = state.skeleton(shape).joints_mm[list(KNUCKLES)].mean(axis=0)
        states.append(state.moved([rng.normal(0, 1), rng.normal(0, 4), sign * row_mm / 2] - knuckles))
    limit = CLASP_KNUCKLES_MM * float(shape.finger_girth.mean()) / MEAN_GIRTH
    return PairPlan(
        states[0],
        states[1],
        np.array([1.0, 0, 0]),
        into_pocket=True,
        most_mm=limit,
        curl=SIDES,
        thumbs=SIDES,
    )

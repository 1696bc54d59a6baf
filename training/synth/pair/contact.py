"""From a plan of how two hands meet to a pair in contact without intersections (numpy; any thread)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from engines.skeleton import Side, other_side
from training.synth.hand.closing import close_until_touch
from training.synth.hand.contact import (
    SELF_TOLERANCE_MM,
    Capsules,
    gap_mm,
    hand_capsules,
    rest_thumb,
    self_gap_mm,
    slide_capsules_apart_mm,
)
from training.synth.hand.model import HandSkeleton, HandState, wrist_towards
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape
from training.synth.pair.arms import Stance, sample_elbow, sample_wide_elbow
from training.synth.pair.plan import PairPlan
from training.synth.pair.plans import PLANNERS
from training.synth.pair.settle import settle

TOLERANCE_MM: Final = (-5.0, -4.0)
"""Range of how deep flesh gives way."""
_ROOM_MM: Final = 0.5
"""Left between hands that slide, so that their fingers can still bend against each other."""
Pair = tuple[HandState, HandState]
"""Right hand, left hand."""


def sample_pair(rng: np.random.Generator, shape: HandShape, mode: str, stance: Stance) -> Pair | None:
    """Two hands of one person that meet in a way of `PAIR_SHARE`, in the person frame; None where it did not work."""
    plan = PLANNERS[mode](rng, shape, stance)
    plan = with_elbows(rng, _turned(rng, plan, stance), stance)
    return solve(plan, shape, rng.uniform(*TOLERANCE_MM))


def solve(plan: PairPlan, shape: HandShape, tolerance_mm: float) -> Pair | None:
    """Slide the left hand until no contact is deeper than the tolerance, bend fingers until they touch, lay thumbs."""
    right, left = plan.right, plan.left.moved(plan.start_mm * plan.slide)
    one, other = (_counting(state, shape, plan) for state in (right, left))
    tolerance_mm -= plan.soft_mm
    first_mm = tolerance_mm + _ROOM_MM * (1 + plan.soft_mm) if plan.curl else tolerance_mm
    shift = slide_capsules_apart_mm(one, other, plan.slide, first_mm, plan.into_pocket, plan.most_mm)
    if shift >= plan.most_mm - 4:
        return None
    left = left.moved(shift * plan.slide)
    if plan.settle_deg:
        left = left.turned(*settle(one, other.moved(shift * plan.slide), plan.slide, first_mm, plan.settle_deg))
    left = left.moved(plan.apart_mm * plan.slide)
    states: dict[Side, HandState] = {"right": right, "left": left}
    for side in plan.curl:
        states[side] = _curled(states[side], states[other_side(side)].skeleton(shape), shape, tolerance_mm, plan)
    for side in plan.thumbs:
        rested = _thumb_rested(states[side], states[other_side(side)].skeleton(shape), shape, tolerance_mm)
        if rested is None:
            return None
        states[side] = rested
    pair = states["right"], states["left"]
    right_hand, left_hand = (state.skeleton(shape) for state in pair)
    if plan.settle_deg and gap_mm(right_hand, left_hand, forearm=False) > 0:
        return None  # held apart by a forearm
    return pair if _is_free(pair, shape, tolerance_mm) else None


def _counting(state: HandState, shape: HandShape, plan: PairPlan) -> Capsules:
    """The hand's capsules without a thumb that is laid later."""
    capsules = hand_capsules(state.skeleton(shape))
    return capsules.select(capsules.finger != 0) if state.side in plan.thumbs else capsules


def _thumb_rested(state: HandState, other: HandSkeleton, shape: HandShape, tolerance_mm: float) -> HandState | None:
    def skeleton_of(angles: JointAngles) -> HandSkeleton:
        return HandState(state.side, angles, state.placement).skeleton(shape)

    angles = rest_thumb(state.angles, skeleton_of, other, tolerance_mm)
    return None if angles is None else HandState(state.side, angles, state.placement)


def _turned(rng: np.random.Generator, plan: PairPlan, stance: Stance) -> PairPlan:
    if not plan.turn:
        return plan
    lean = rng.uniform(-20, 60) if stance == "raised" else rng.uniform(45, 100)
    angles = (
        [rng.normal(8, 16), rng.normal(0, 18), rng.normal(0, 10)]
        if plan.front
        else [lean, rng.normal(0, 22), rng.normal(0, 15)]
    )
    return plan.turned(Rotation.from_euler("xyz", angles, degrees=True).as_matrix())


def with_elbows(rng: np.random.Generator, plan: PairPlan, stance: Stance) -> PairPlan:
    """The plan with wrists bent so that the forearms come from where elbows may be."""
    states: dict[Side, HandState] = {"right": plan.right, "left": plan.left}
    for side in plan.elbows:
        state = states[side]
        at = state.placement.wrist_cam_mm
        elbow = sample_wide_elbow(rng, at, side) if plan.front else sample_elbow(rng, at, side, stance)
        wrist = wrist_towards(elbow, state.placement, side) + [0, 0, rng.normal(0, 8)]
        states[side] = HandState(side, state.angles.with_wrist(wrist).limited(), state.placement)
    return replace(plan, right=states["right"], left=states["left"])


def _curled(state: HandState, other: HandSkeleton, shape: HandShape, tolerance_mm: float, plan: PairPlan) -> HandState:
    def skeleton_of(angles: JointAngles) -> HandSkeleton:
        return HandState(state.side, angles, state.placement).skeleton(shape)

    angles = close_until_touch(state.angles, skeleton_of, other, tolerance_mm, plan.curl_most_deg, plan.curl_fingers)
    return HandState(state.side, angles, state.placement)


def _is_free(pair: Pair, shape: HandShape, tolerance_mm: float) -> bool:
    right, left = (state.skeleton(shape) for state in pair)
    own = min(self_gap_mm(right), self_gap_mm(left))
    return gap_mm(right, left) >= tolerance_mm - 0.1 and own >= SELF_TOLERANCE_MM - 1

"""Ways in which people bring their hands together before a camera, by name (numpy; any thread).

Each is a random plan in the person frame of `arms.py`, seen from the front, with forearms that come from both sides;
contact is solved as for all plans (`contact.py`). Who plays which part is drawn, so both roles occur with both hands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, WRIST
from training.synth.hand.model import MIRROR, HandState
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape
from training.synth.pair.arms import sample_fingers
from training.synth.pair.fists import fist_in_palm, fist_on_fist, fists_together, tight_fist
from training.synth.pair.grasp import grasp
from training.synth.pair.interlocked import interlocked
from training.synth.pair.mirrored import both, fingers_to_plane, reach_mm, rolled, thumb_to_plane
from training.synth.pair.plan import (
    CAMERA,
    DOWN,
    MIDDLE_JOINTS,
    PERSON,
    UP,
    PairPlan,
    about,
    facing,
    hand_about,
    in_order,
    inward,
    roles,
    thumb_beside,
)
from training.synth.person.appearance import unit

Family = Callable[[np.random.Generator, HandShape], PairPlan]
_TRIES: Final = 12


def _front(plan: PairPlan) -> PairPlan:
    return replace(plan, front=True)


def _palms_together(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """As in prayer or a greeting."""
    lean = UP + [rng.normal(0, 0.25), 0, rng.normal(-0.15, 0.25)]
    angles = thumb_beside(rng, sample_fingers(rng, shape, "open"))
    angles.fingers_deg[1:, 1] *= 0.5
    rotation = facing(lean * MIRROR if rng.random() < 0.5 else lean, inward("right"))
    right, left = both(angles, rotation, np.array([0, *rng.normal(0, 5, 2)]))
    curl = SIDES if rng.random() < 0.7 else ()
    most = rng.uniform(15, 45)
    return PairPlan(right, left, np.array([1.0, 0, 0]), settle_deg=25, curl=curl, curl_most_deg=most)


def _steeple(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Finger tips together, each on its partner, palms apart."""
    angles, rotation = _roof(rng, shape)
    for _ in range(_TRIES):
        far = reach_mm(angles, rotation, shape)
        if far[0] < far[1:].max() + 1.5:  # the thumb does not hold the fingers apart
            break
        angles, rotation = _roof(rng, shape)
    right, left = both(angles, rotation, np.array([0, *rng.normal(0, 1.5, 2)]))
    return PairPlan(right, left, np.array([1.0, 0, 0]))


def _roof(rng: np.random.Generator, shape: HandShape) -> tuple[JointAngles, NDArray[np.float64]]:
    """One half of a steeple: angles and rotation of the right hand."""
    inwards, lean = inward("right"), np.radians(rng.uniform(12, 45))
    angles = sample_fingers(rng, shape, str(rng.choice(["open", "spread"])))
    along = inwards * np.sin(lean) + UP * np.cos(lean) + [0, 0, rng.normal(0, 0.2)]
    rotation = facing(about(along, rng, 0.03), inwards * np.cos(lean) + DOWN * np.sin(lean))
    plane = float(np.median(reach_mm(angles, rotation, shape)[1:]))
    angles = fingers_to_plane(angles, rotation, shape, plane, 0, 30)
    return thumb_to_plane(angles, rotation, shape, plane), rotation


def _interlocked(turn_deg: tuple[float, float], most_deg: tuple[float, float], soft_mm: float) -> Family:
    """Interlocked fingers, the pair turned about the line between both hands."""

    def plan(rng: np.random.Generator, shape: HandShape) -> PairPlan:
        found = interlocked(rng, shape, soft_mm)
        turn = Rotation.from_euler("x", rng.normal(*turn_deg), degrees=True).as_matrix()
        up = (2, 3, 4) if rng.random() < 0.25 else (1, 2, 3, 4)  # both index fingers may stay straight
        return replace(found.turned(turn), curl_most_deg=rng.uniform(*most_deg), curl_fingers=up)

    return plan


def _index_steeple(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Folded, interlocked fingers; only the index fingers stand upright, one beside the other."""
    found = interlocked(rng, shape, MOST_SOFT_MM)
    turn = Rotation.from_euler("x", rng.normal(10, 25), degrees=True).as_matrix()
    states = {}
    for state in (found.right, found.left):
        along = state.placement.camera_from_hand[:, 1]
        fingers = state.angles.fingers_deg.copy()
        fingers[1] = -np.degrees(np.arctan2(abs(along[0]), -along[1])), rng.normal(0, 2), rng.exponential(3), 0
        angles = JointAngles(fingers, state.angles.wrist_deg).limited()
        states[state.side] = HandState(state.side, angles, state.placement)
    upright = replace(found, right=states["right"], left=states["left"]).turned(turn)
    return replace(upright, curl_most_deg=rng.uniform(120, 185), curl_fingers=(2, 3, 4))


def _palm_on_back(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """One palm on the back of the other hand, which is a fist, flat or at rest."""
    over, under = roles(rng)
    away = about(UP if rng.random() < 0.6 else CAMERA, rng, 0.25)
    lower = facing(about(inward(under) + 0.2 * CAMERA, rng, 0.25), -away)
    mode = str(rng.choice(["fist", "open", "relaxed"]))
    lying = tight_fist(rng, shape) if mode == "fist" else sample_fingers(rng, shape, mode)
    one = hand_about(under, lying, lower, np.zeros(3), shape)
    upper = facing(about(inward(over), rng, 0.3), about(-away, rng, 0.08))
    flat = sample_fingers(rng, shape, "open")
    other = hand_about(over, flat, upper, rng.normal(0, 12, 3) - 15 * inward(over), shape)
    found = replace(in_order(other, one, away), most_mm=100, settle_deg=25)
    return replace(found, curl=(over,), curl_most_deg=rng.uniform(20, 140), thumbs=(over,))


def _stacked_flat(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Two flat hands one on the other, palm on back or palm on palm."""
    over, under = roles(rng)
    away = about(UP if rng.random() < 0.65 else CAMERA, rng, 0.2)
    palms = rng.random() < 0.35
    states = {}
    for side in (over, under):
        palm = away if side == under and palms else -away
        rotation = facing(about(inward(side) + 0.3 * CAMERA, rng, 0.3), palm)
        flat = thumb_beside(rng, sample_fingers(rng, shape, "open"))
        states[side] = hand_about(side, flat, rotation, rng.normal(0, 14, 3), shape)
    found = replace(in_order(states[over], states[under], away), most_mm=80, settle_deg=30)
    return replace(found, curl=(over, under) if palms else (over,), curl_most_deg=rng.uniform(10, 40))


def _wrapped_finger(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """One hand closed round a finger of the other, or round several."""
    holder, held = roles(rng)
    along, palm = about(UP + 0.3 * inward(held), rng, 0.3), about(inward(held) + 0.3 * CAMERA, rng, 0.5)
    finger = int(rng.integers(0, 6))
    name = {0: "thumb_up", 1: "index", 5: "flat"}.get(finger)
    angles = sample_fingers(rng, shape, "open") if name is None else sample_fingers(rng, shape, name)
    other = hand_about(held, angles, facing(along, palm), np.zeros(3), shape)
    joints = other.skeleton(shape).joints_mm
    if finger < 5:
        start, end = joints[4 * finger + 2], joints[4 * finger]
    else:
        start, end = joints[[6, 10, 14]].mean(axis=0), joints[[4, 8, 12]].mean(axis=0)
    return grasp(rng, shape, holder, other, start, end)


def _wrapped_wrist(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """One hand closed round the other's wrist or forearm."""
    holder, held = roles(rng)
    along = about(UP * rng.uniform(0, 1) + inward(held) * rng.uniform(0.2, 1), rng, 0.25)
    palm = about([PERSON, DOWN, CAMERA][rng.integers(3)], rng, 0.4)
    other = hand_about(held, sample_fingers(rng, shape), facing(along, palm), np.zeros(3), shape)
    other = HandState(held, other.angles.with_wrist(rng.normal(0, [15, 6, 8])).limited(), other.placement)
    bones = other.skeleton(shape)
    towards = unit(bones.elbow_mm - bones.joints_mm[WRIST])
    start, end = bones.joints_mm[WRIST] + 8 * towards, bones.joints_mm[WRIST] + 60 * towards
    return replace(grasp(rng, shape, holder, other, start, end), elbows=(holder,), turn=False)


def _crossed_wrists(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Wrists one before the other, hands beyond them."""
    states = {}
    palms = [[CAMERA, PERSON, None][k] for k in rng.integers(3, size=2)]
    before, behind = roles(rng)
    for side, palm in zip(SIDES, palms, strict=True):
        across = np.radians(rng.uniform(20, 60))
        along = inward(side) * np.sin(across) + UP * np.cos(across)
        normal = inward(side) if palm is None else palm
        rotation = facing(about(along, rng, 0.08), about(normal, rng, 0.15))
        state = hand_about(side, sample_fingers(rng, shape), rotation, np.zeros(3), shape)
        state = HandState(side, state.angles.with_wrist(rng.normal(0, [12, 6, 8])).limited(), state.placement)
        bones = state.skeleton(shape)
        crossing = bones.joints_mm[WRIST] + rng.uniform(0, 45) * unit(bones.elbow_mm - bones.joints_mm[WRIST])
        states[side] = state.moved(-crossing)
    return replace(in_order(states[before], states[behind], CAMERA), most_mm=120, elbows=(), turn=False)


def _crossed_fingers(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Spread fingers one before the other at a right angle, as bars."""
    before, behind = roles(rng)
    upright = (before, behind)[rng.integers(2)]
    away, states = about(CAMERA, rng, 0.2), {}
    for side in (before, behind):
        along = UP + 0.2 * inward(side) if side == upright else inward(side)
        palm = away if rng.random() < 0.5 else -away
        flat = thumb_beside(rng, sample_fingers(rng, shape, str(rng.choice(["spread", "open"], p=[0.8, 0.2]))))
        state = hand_about(side, flat, facing(about(along, rng, 0.15), palm), np.zeros(3), shape)
        middle = state.skeleton(shape).joints_mm[list(MIDDLE_JOINTS)].mean(axis=0)
        states[side] = state.moved(rng.normal(0, 9, 3) - middle)
    return replace(in_order(states[before], states[behind], away), most_mm=60, settle_deg=25)


def _heart(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Bent fingers touch above, thumbs below."""
    inwards = inward("right")
    angles, upright = _bow(rng), np.eye(3)
    for _ in range(_TRIES):
        upright = facing(about(UP - rng.uniform(0, 0.5) * inwards, rng, 0.05), inwards + 0.3 * DOWN)
        rotation = rolled(angles, upright, shape)
        if rotation is not None:
            upright = rotation
            break
        angles = _bow(rng)
    plane = float(reach_mm(angles, upright, shape).max())
    angles, rotation = fingers_to_plane(angles, upright, shape, plane, 0, 25), upright
    right, left = both(angles, rotation, np.array([0, *rng.normal(0, 2, 2)]))
    return PairPlan(right, left, np.array([1.0, 0, 0]))


def _bow(rng: np.random.Generator) -> JointAngles:
    """One half of a heart."""
    fingers = rng.normal(0, 3, (5, 4))
    fingers[0] += (-8, 16, 0, 2)
    fingers[1:, 0] += rng.uniform(35, 62)
    fingers[1:, 1] *= 0.3
    fingers[1:, 2] += rng.uniform(35, 65)
    fingers[1:, 3] = 0.5 * fingers[1:, 2]
    return JointAngles(fingers, np.zeros(3)).limited()


def _frame(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Thumbs and index fingers make a rectangle, each thumb's tip on the other hand's index finger."""
    upper, lower = roles(rng)
    angles = sample_fingers(rng, shape, "gun")
    angles.fingers_deg[0] = rng.normal((-20, 6, -2, 0), 4)
    states = {}
    for side, thumb in ((lower, UP), (upper, DOWN)):
        inwards = inward(side)
        # the palm's side follows from where thumb and fingers point
        palm = np.cross(thumb if side == "right" else -thumb, inwards)
        rotation = facing(about(inwards, rng, 0.08), about(palm, rng, 0.12))
        states[side] = hand_about(side, angles, rotation, np.zeros(3), shape)
    one, other = (states[side].skeleton(shape).joints_mm for side in (lower, upper))
    turn = Rotation.align_vectors([unit(one[4] - one[0])], [unit(other[0] - other[4])])[0].as_matrix()
    states[upper] = states[upper].turned(turn, (one[0] + one[4] - turn @ (other[4] + other[0])) / 2)
    outward = unit(one[0] + one[4] - 2 * one[3])  # from the lower hand's web to the other's
    slide = about([PERSON, CAMERA, outward][rng.integers(3)], rng, 0.1)
    return replace(in_order(states[upper], states[lower], slide), most_mm=40, into_pocket=True)


def _counting(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """A finger tip of one hand on a finger of the other, as when counting on it."""
    pointing, counted = roles(rng)
    open_hand = sample_fingers(rng, shape, str(rng.choice(["spread", "open", "relaxed"])))
    palm = about([PERSON, CAMERA, UP][rng.choice(3, p=[0.5, 0.2, 0.3])], rng, 0.3)
    rotation = facing(about(UP * rng.uniform(0.3, 1) + inward(counted), rng, 0.2), palm)
    one = hand_about(counted, open_hand, rotation, np.zeros(3), shape)
    name = str(rng.choice(["index", "pinch_relaxed", "gun", "relaxed"]))
    rotation = facing(about(inward(pointing) + 0.2 * UP, rng, 0.25), about(PERSON + DOWN, rng, 0.5))
    other = hand_about(pointing, sample_fingers(rng, shape, name), rotation, np.zeros(3), shape)
    place = 4 * int(rng.integers(5)) + int(rng.choice(3, p=[0.6, 0.25, 0.15]))
    other = other.moved(one.skeleton(shape).joints_mm[place] - other.skeleton(shape).joints_mm[4])
    return replace(in_order(other, one, -inward(pointing)), most_mm=60, into_pocket=True)


def _washing(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Palms rubbed on each other at an angle, or a palm on the other's back, fingers round the edges."""
    over, under = roles(rng)
    across = np.radians(rng.uniform(15, 75))
    away = about(inward(under) + 0.6 * UP * rng.random(), rng, 0.15)
    palms = rng.random() < 0.6
    states = {}
    for side, sign in ((over, 1.0), (under, -1.0)):
        along = UP * np.cos(sign * across / 2) + CAMERA * (np.sin(sign * across / 2) + 0.4)
        palm = -away if side == over or not palms else away
        fingers = sample_fingers(rng, shape, "open" if side == over else "relaxed")
        rotation = facing(about(along, rng, 0.12), about(palm, rng, 0.08))
        states[side] = hand_about(side, fingers, rotation, rng.normal(0, 14, 3), shape)
    found = replace(in_order(states[over], states[under], away), most_mm=120, settle_deg=25)
    return replace(found, curl=(over,), curl_most_deg=rng.uniform(20, 110), thumbs=(over,))


def _clapping(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Palms that meet or have just parted."""
    open_rad, states = np.radians(rng.exponential(14)), []
    lean = UP + [0, 0, rng.normal(-0.3, 0.3)]
    for side in SIDES:
        inwards = inward(side)
        along = lean - np.sin(open_rad) * inwards * rng.uniform(0.5, 1)
        rotation = facing(about(along, rng, 0.15), about(inwards, rng, 0.12))
        flat = sample_fingers(rng, shape, str(rng.choice(["open", "relaxed"])))
        states.append(hand_about(side, flat, rotation, [0, *rng.normal(0, 14, 2)], shape))
    apart = float(rng.exponential(35)) if rng.random() < 0.6 else 0.0
    return PairPlan(states[0], states[1], np.array([1.0, 0, 0]), apart_mm=apart, settle_deg=0 if apart else 20)


def _handshake(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """The person's hands hold each other as two persons' would, or hook into each other."""
    over, under = roles(rng)
    away = about(UP + CAMERA * rng.uniform(0, 1), rng, 0.2)
    states, across = {}, rng.uniform(0, 1) * unit(CAMERA - CAMERA @ away * away)
    for side, palm in ((over, -away), (under, away)):
        rotation = facing(about(inward(side) + across, rng, 0.15), palm)
        state = hand_about(side, sample_fingers(rng, shape, "open"), rotation, rng.normal(0, 6, 3), shape)
        states[side] = state.moved(-rng.uniform(5, 35) * inward(side))
    found = in_order(states[over], states[under], away)
    return replace(
        found, most_mm=70, settle_deg=20, curl=(over, under), curl_most_deg=rng.uniform(80, 170), thumbs=(over, under)
    )


MOST_SOFT_MM: Final = 2.5
"""How much more than usual flesh gives way, at most."""
FAMILIES: Final[dict[str, Family]] = {
    "palms_together": _palms_together,
    "steeple": _steeple,
    "interlocked_up": _interlocked((5, 20), (20, 90), 1.5),
    "interlocked_down": _interlocked((180, 25), (30, 150), 2.0),
    "interlocked_folded": _interlocked((30, 30), (110, 185), MOST_SOFT_MM),
    "index_steeple": _index_steeple,
    "fist_on_fist": fist_on_fist,
    "fists_together": fists_together,
    "fist_in_palm": fist_in_palm,
    "palm_on_back": _palm_on_back,
    "stacked_flat": _stacked_flat,
    "wrapped_finger": _wrapped_finger,
    "wrapped_wrist": _wrapped_wrist,
    "crossed_wrists": _crossed_wrists,
    "crossed_fingers": _crossed_fingers,
    "heart": _heart,
    "frame": _frame,
    "counting": _counting,
    "washing": _washing,
    "clapping": _clapping,
    "handshake": _handshake,
}
"""By name; all but `wrapped_wrist` and `crossed_wrists` are turned as a whole and then get their forearms."""


def family_plan(rng: np.random.Generator, shape: HandShape, name: str) -> PairPlan:
    """A random plan of a family, in front of the person."""
    plan = FAMILIES[name](rng, shape)
    return _front(plan) if plan.turn else plan

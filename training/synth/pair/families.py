"""Ways in which people bring their hands together before a camera, by name (numpy; any thread).

Each is a random plan in the person frame of `arms.py`, seen from the front, with forearms that come from both sides;
contact is solved as for all plans (`contact.py`). Who plays which part is drawn, so both roles occur with both hands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, WRIST, Side, other_side
from training.synth.hand.contact import SELF_TOLERANCE_MM, self_gap_mm
from training.synth.hand.model import MIRROR, HandState, Placement
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape
from training.synth.hand.shapes import hand_shape
from training.synth.pair.arms import WRIST_DEVIATION_DEG, sample_fingers
from training.synth.pair.grasp import grasp
from training.synth.pair.interlocked import interlocked
from training.synth.pair.mirrored import both, fingers_to_plane, reach_mm, rolled, thumb_to_plane
from training.synth.pair.plan import PairPlan, facing, hand_about, in_order, thumb_beside
from training.synth.person.appearance import unit

Family = Callable[[np.random.Generator, HandShape], PairPlan]
_UP: Final = np.array([0.0, -1, 0])
_DOWN: Final = np.array([0.0, 1, 0])
_CAMERA: Final = np.array([0.0, 0, -1])
_PERSON: Final = np.array([0.0, 0, 1])
_TRIES: Final = 12


def _inward(side: Side) -> NDArray[np.float64]:
    """Towards the person's middle."""
    return np.array([1.0 if side == "right" else -1.0, 0, 0])


def _about(direction: ArrayLike, rng: np.random.Generator, spread: float) -> NDArray[np.float64]:
    """A unit vector near a direction."""
    return unit(np.asarray(direction, np.float64) + rng.normal(0, spread, 3))


def _roles(rng: np.random.Generator) -> tuple[Side, Side]:
    """Who acts and who is acted upon."""
    first: Side = SIDES[rng.integers(2)]
    return first, other_side(first)


def _front(plan: PairPlan) -> PairPlan:
    return replace(plan, front=True)


def _tight_fist(rng: np.random.Generator, shape: HandShape) -> JointAngles:
    """A closed fist, its thumb across, beside or inside."""
    name = str(rng.choice(["fist", "fist_thumb_beside", "fist_thumb_inside"], p=[0.65, 0.25, 0.1]))
    for _ in range(_TRIES):
        fingers = hand_shape(name).fingers_deg + rng.normal(0, [3.0, 1.5, 3.0, 3.0], (5, 4))
        angles = JointAngles(fingers, rng.normal(0, WRIST_DEVIATION_DEG)).limited()
        if (
            self_gap_mm(HandState("right", angles, Placement(np.zeros(3), np.eye(3))).skeleton(shape))
            > SELF_TOLERANCE_MM
        ):
            return angles
    return sample_fingers(rng, shape, "fist")


def _palms_together(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """As in prayer or a greeting."""
    lean = _UP + [rng.normal(0, 0.25), 0, rng.normal(-0.15, 0.25)]
    angles = thumb_beside(rng, sample_fingers(rng, shape, "open"))
    angles.fingers_deg[1:, 1] *= 0.5
    rotation = facing(lean * MIRROR if rng.random() < 0.5 else lean, _inward("right"))
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
    inward, lean = _inward("right"), np.radians(rng.uniform(12, 45))
    angles = sample_fingers(rng, shape, str(rng.choice(["open", "spread"])))
    along = inward * np.sin(lean) + _UP * np.cos(lean) + [0, 0, rng.normal(0, 0.2)]
    rotation = facing(_about(along, rng, 0.03), inward * np.cos(lean) + _DOWN * np.sin(lean))
    plane = float(np.median(reach_mm(angles, rotation, shape)[1:]))
    angles = fingers_to_plane(angles, rotation, shape, plane, 0, 30)
    return thumb_to_plane(angles, rotation, shape, plane), rotation


def _interlocked(turn_deg: tuple[float, float], most_deg: tuple[float, float], soft_mm: float) -> Family:
    """Interlocked fingers, the pair turned about the line between both hands."""

    def plan(rng: np.random.Generator, shape: HandShape) -> PairPlan:
        found = interlocked(rng, shape, soft_mm)
        turn = Rotation.from_euler("x", rng.normal(*turn_deg), degrees=True).as_matrix()
        up = (2, 3, 4) if rng.random() < 0.25 else (1, 2, 3, 4)  # both index fingers may stay straight
        nowhere = np.zeros(3)
        return replace(
            found,
            right=found.right.turned(turn, nowhere),
            left=found.left.turned(turn, nowhere),
            slide=turn @ found.slide,
            curl_most_deg=rng.uniform(*most_deg),
            curl_fingers=up,
        )

    return plan


def _fist_on_fist(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """One fist on the other, knuckles against knuckles, or both side by side with fingers down."""
    kind = rng.choice(["stack", "knuckles", "down"])
    over, under = _roles(rng)
    states = {}
    for side in SIDES:
        inward = _inward(side)
        along, palm = {
            "stack": (inward + 0.3 * _CAMERA, _PERSON if rng.random() < 0.6 else _DOWN),
            "knuckles": (inward + 0.4 * _UP, _PERSON if rng.random() < 0.5 else _DOWN),
            "down": (_DOWN + 0.25 * inward, _PERSON),
        }[kind]
        rotation = facing(_about(along, rng, 0.12), _about(palm, rng, 0.15))
        states[side] = hand_about(side, _tight_fist(rng, shape), rotation, rng.normal(0, 6, 3), shape)
    if kind == "stack":
        return replace(in_order(states[over], states[under], _UP), most_mm=110, settle_deg=15)
    return PairPlan(states["right"], states["left"], np.array([1.0, 0, 0]), settle_deg=15)


def _fist_in_palm(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """A fist in the other, half open hand, which closes round it."""
    cover, fist = _roles(rng)
    inward, below = _inward(fist), rng.random() < 0.4
    away = _DOWN if below else inward  # from the fist to the palm
    along = inward if not below else inward + 0.4 * _CAMERA
    palm = _DOWN if below or rng.random() < 0.5 else _PERSON
    inner = facing(_about(along, rng, 0.15), _about(palm, rng, 0.15))
    one = hand_about(fist, _tight_fist(rng, shape), inner, np.zeros(3), shape)
    fingers = -inward + 0.4 * _CAMERA if below else _UP + 0.5 * _CAMERA * rng.random()
    outer = facing(_about(fingers, rng, 0.2), _about(-away, rng, 0.1))
    other = hand_about(cover, sample_fingers(rng, shape, "open"), outer, rng.normal(0, 8, 3), shape)
    found = replace(in_order(other, one, away), most_mm=120, settle_deg=20)
    return replace(found, curl=(cover,), curl_most_deg=rng.uniform(60, 170), thumbs=(cover,))


def _palm_on_back(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """One palm on the back of the other hand, which is a fist, flat or at rest."""
    over, under = _roles(rng)
    away = _about(_UP if rng.random() < 0.6 else _CAMERA, rng, 0.25)
    lower = facing(_about(_inward(under) + 0.2 * _CAMERA, rng, 0.25), -away)
    mode = str(rng.choice(["fist", "open", "relaxed"]))
    lying = _tight_fist(rng, shape) if mode == "fist" else sample_fingers(rng, shape, mode)
    one = hand_about(under, lying, lower, np.zeros(3), shape)
    upper = facing(_about(_inward(over), rng, 0.3), _about(-away, rng, 0.08))
    flat = sample_fingers(rng, shape, "open")
    other = hand_about(over, flat, upper, rng.normal(0, 12, 3) - 15 * _inward(over), shape)
    found = replace(in_order(other, one, away), most_mm=100, settle_deg=25)
    return replace(found, curl=(over,), curl_most_deg=rng.uniform(20, 140), thumbs=(over,))


def _stacked_flat(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Two flat hands one on the other, palm on back or palm on palm."""
    over, under = _roles(rng)
    away = _about(_UP if rng.random() < 0.65 else _CAMERA, rng, 0.2)
    palms = rng.random() < 0.35
    states = {}
    for side in (over, under):
        palm = away if side == under and palms else -away
        rotation = facing(_about(_inward(side) + 0.3 * _CAMERA, rng, 0.3), palm)
        flat = thumb_beside(rng, sample_fingers(rng, shape, "open"))
        states[side] = hand_about(side, flat, rotation, rng.normal(0, 14, 3), shape)
    found = replace(in_order(states[over], states[under], away), most_mm=80, settle_deg=30)
    return replace(found, curl=(over, under) if palms else (over,), curl_most_deg=rng.uniform(10, 40))


def _wrapped_finger(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """One hand closed round a finger of the other, or round several."""
    holder, held = _roles(rng)
    along, palm = _about(_UP + 0.3 * _inward(held), rng, 0.3), _about(_inward(held) + 0.3 * _CAMERA, rng, 0.5)
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
    holder, held = _roles(rng)
    along = _about(_UP * rng.uniform(0, 1) + _inward(held) * rng.uniform(0.2, 1), rng, 0.25)
    palm = _about([_PERSON, _DOWN, _CAMERA][rng.integers(3)], rng, 0.4)
    other = hand_about(held, sample_fingers(rng, shape), facing(along, palm), np.zeros(3), shape)
    other = HandState(held, other.angles.with_wrist(rng.normal(0, [15, 6, 8])).limited(), other.placement)
    bones = other.skeleton(shape)
    towards = unit(bones.elbow_mm - bones.joints_mm[WRIST])
    start, end = bones.joints_mm[WRIST] + 8 * towards, bones.joints_mm[WRIST] + 60 * towards
    return replace(grasp(rng, shape, holder, other, start, end), elbows=(holder,), turn=False)


def _crossed_wrists(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Wrists one before the other, hands beyond them."""
    states = {}
    palms = [[_CAMERA, _PERSON, None][k] for k in rng.integers(3, size=2)]
    before, behind = _roles(rng)
    for side, palm in zip(SIDES, palms, strict=True):
        across = np.radians(rng.uniform(20, 60))
        along = _inward(side) * np.sin(across) + _UP * np.cos(across)
        normal = _inward(side) if palm is None else palm
        rotation = facing(_about(along, rng, 0.08), _about(normal, rng, 0.15))
        state = hand_about(side, sample_fingers(rng, shape), rotation, np.zeros(3), shape)
        state = HandState(side, state.angles.with_wrist(rng.normal(0, [12, 6, 8])).limited(), state.placement)
        bones = state.skeleton(shape)
        crossing = bones.joints_mm[WRIST] + rng.uniform(0, 45) * unit(bones.elbow_mm - bones.joints_mm[WRIST])
        states[side] = state.moved(-crossing)
    return replace(in_order(states[before], states[behind], _CAMERA), most_mm=120, elbows=(), turn=False)


def _heart(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Bent fingers touch above, thumbs below."""
    inward = _inward("right")
    angles, upright = _bow(rng), np.eye(3)
    for _ in range(_TRIES):
        upright = facing(_about(_UP - rng.uniform(0, 0.5) * inward, rng, 0.05), inward + 0.3 * _DOWN)
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
    upper, lower = _roles(rng)
    angles = sample_fingers(rng, shape, "gun")
    angles.fingers_deg[0] = rng.normal((-20, 6, -2, 0), 4)
    states = {}
    for side, thumb in ((lower, _UP), (upper, _DOWN)):
        inward = _inward(side)
        # the palm's side follows from where thumb and fingers point
        palm = np.cross(thumb if side == "right" else -thumb, inward)
        rotation = facing(_about(inward, rng, 0.08), _about(palm, rng, 0.12))
        states[side] = hand_about(side, angles, rotation, np.zeros(3), shape)
    one, other = (states[side].skeleton(shape).joints_mm for side in (lower, upper))
    turn = Rotation.align_vectors([unit(one[4] - one[0])], [unit(other[0] - other[4])])[0].as_matrix()
    states[upper] = states[upper].turned(turn, (one[0] + one[4] - turn @ (other[4] + other[0])) / 2)
    outward = unit(one[0] + one[4] - 2 * one[3])  # from the lower hand's web to the other's
    slide = _about([_PERSON, _CAMERA, outward][rng.integers(3)], rng, 0.1)
    return replace(in_order(states[upper], states[lower], slide), most_mm=40, into_pocket=True)


def _counting(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """A finger tip of one hand on a finger of the other, as when counting on it."""
    pointing, counted = _roles(rng)
    open_hand = sample_fingers(rng, shape, str(rng.choice(["spread", "open", "relaxed"])))
    palm = _about([_PERSON, _CAMERA, _UP][rng.choice(3, p=[0.5, 0.2, 0.3])], rng, 0.3)
    rotation = facing(_about(_UP * rng.uniform(0.3, 1) + _inward(counted), rng, 0.2), palm)
    one = hand_about(counted, open_hand, rotation, np.zeros(3), shape)
    name = str(rng.choice(["index", "pinch_relaxed", "gun", "relaxed"]))
    rotation = facing(_about(_inward(pointing) + 0.2 * _UP, rng, 0.25), _about(_PERSON + _DOWN, rng, 0.5))
    other = hand_about(pointing, sample_fingers(rng, shape, name), rotation, np.zeros(3), shape)
    place = 4 * int(rng.integers(5)) + int(rng.choice(3, p=[0.6, 0.25, 0.15]))
    other = other.moved(one.skeleton(shape).joints_mm[place] - other.skeleton(shape).joints_mm[4])
    return replace(in_order(other, one, -_inward(pointing)), most_mm=60, into_pocket=True)


def _washing(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Palms rubbed on each other at an angle, or a palm on the other's back, fingers round the edges."""
    over, under = _roles(rng)
    across = np.radians(rng.uniform(15, 75))
    away = _about(_inward(under) + 0.6 * _UP * rng.random(), rng, 0.15)
    palms = rng.random() < 0.6
    states = {}
    for side, sign in ((over, 1.0), (under, -1.0)):
        along = _UP * np.cos(sign * across / 2) + _CAMERA * (np.sin(sign * across / 2) + 0.4)
        palm = -away if side == over or not palms else away
        fingers = sample_fingers(rng, shape, "open" if side == over else "relaxed")
        rotation = facing(_about(along, rng, 0.12), _about(palm, rng, 0.08))
        states[side] = hand_about(side, fingers, rotation, rng.normal(0, 14, 3), shape)
    found = replace(in_order(states[over], states[under], away), most_mm=120, settle_deg=25)
    return replace(found, curl=(over,), curl_most_deg=rng.uniform(20, 110), thumbs=(over,))


def _clapping(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Palms that meet or have just parted."""
    open_rad, states = np.radians(rng.exponential(14)), []
    lean = _UP + [0, 0, rng.normal(-0.3, 0.3)]
    for side in SIDES:
        inward = _inward(side)
        along = lean - np.sin(open_rad) * inward * rng.uniform(0.5, 1)
        rotation = facing(_about(along, rng, 0.15), _about(inward, rng, 0.12))
        flat = sample_fingers(rng, shape, str(rng.choice(["open", "relaxed"])))
        states.append(hand_about(side, flat, rotation, [0, *rng.normal(0, 14, 2)], shape))
    apart = float(rng.exponential(35)) if rng.random() < 0.6 else 0.0
    return PairPlan(states[0], states[1], np.array([1.0, 0, 0]), apart_mm=apart, settle_deg=0 if apart else 20)


def _handshake(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """The person's hands hold each other as two persons' would, or hook into each other."""
    over, under = _roles(rng)
    away = _about(_UP + _CAMERA * rng.uniform(0, 1), rng, 0.2)
    states, across = {}, rng.uniform(0, 1) * unit(_CAMERA - _CAMERA @ away * away)
    for side, palm in ((over, -away), (under, away)):
        rotation = facing(_about(_inward(side) + across, rng, 0.15), palm)
        state = hand_about(side, sample_fingers(rng, shape, "open"), rotation, rng.normal(0, 6, 3), shape)
        states[side] = state.moved(-rng.uniform(5, 35) * _inward(side))
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
    "fist_on_fist": _fist_on_fist,
    "fist_in_palm": _fist_in_palm,
    "palm_on_back": _palm_on_back,
    "stacked_flat": _stacked_flat,
    "wrapped_finger": _wrapped_finger,
    "wrapped_wrist": _wrapped_wrist,
    "crossed_wrists": _crossed_wrists,
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

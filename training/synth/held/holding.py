"""Objects in hands: which, in whose hand, how the holding hand and its arm are (numpy; any thread).

Single hands hold in the grips of `grips.py`; so does one hand of a pair that is `near`. In the mode `carry` one object
is between both hands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, Side, other_side
from training.synth.hand.contact import CONTACT_TOLERANCE_MM, gap_mm, hand_capsules
from training.synth.hand.model import MIRROR, HandState, Placement
from training.synth.hand.shape import HandShape
from training.synth.held.grip_contact import Pose, deepest_mm, solid_gaps_mm
from training.synth.held.grips import DEEPEST_MM, Grip, closed, open_hand, plate, sample_grip
from training.synth.held.objects import UPRIGHT, box, make_object, sphere
from training.synth.pair.arms import WRIST_DEVIATION_DEG, Stance, sample_arm
from training.synth.pair.contact import Pair, solve, with_elbows
from training.synth.pair.plan import PairPlan, facing
from training.synth.pair.plans import apart, centered
from training.synth.person.appearance import Material, Prop
from training.synth.person.solids import Solid

HELD_BY_ONE: Final = {
    "cup": 0.14,
    "bottle": 0.12,
    "can": 0.09,
    "ball": 0.10,
    "box": 0.10,
    "handle": 0.10,
    "pen": 0.13,
    "phone": 0.11,
    "tablet": 0.03,
    "book": 0.04,
    "card": 0.04,
}
"""Shares of what one hand holds; they sum to 1."""
CARRIED: Final = {"box": 0.34, "ball": 0.18, "cup": 0.14, "tablet": 0.18, "book": 0.08, "phone": 0.08}
"""Shares of what two hands hold; they sum to 1."""
SINGLE_HOLDS: Final = 0.22
NEAR_HOLDS: Final = 0.44
"""Shares of the single hands and of the `near` pairs that hold something; with `carry` 12 % of all pairs do."""
_UPRIGHT_SHARE: Final = 0.85
_POSES_TRIED: Final = 8
_CARRY_TRIES: Final = 5
_GRIPS_TRIED: Final = 6
FINGER_MM: Final = 88.0
"""From knuckles to finger tips."""

_LYING: Final = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
_UPSIDE_DOWN: Final = np.diag([1.0, -1, -1])
"""The person frame's y points down."""


@dataclass(frozen=True)
class Held:
    """An object and the hand that it is fixed to."""

    solid: Solid
    holder: Side
    pose: Pose
    """In the frame of the holder's hand, mirrored at x = 0 for a left hand."""

    def props(self, state: HandState) -> list[Prop]:
        """Its surface in the frame of the holder's placement."""
        rotation, shift = self.place(state)
        return self.solid.placed(rotation, shift, "held")

    def place(self, state: HandState) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(3, 3) rotation or reflection and (3,) shift from its own frame to that of the holder's placement."""
        mirror = np.diag(MIRROR) if self.holder == "left" else np.eye(3)
        turn = state.placement.camera_from_hand @ mirror
        return turn @ self.pose.rotation, turn @ self.pose.shift_mm + state.placement.wrist_cam_mm

    def gap_mm(self, hand: HandState, shape: HandShape, holder: HandState) -> float:
        """Smallest gap to another hand."""
        rotation, shift = self.place(holder)
        return float(
            solid_gaps_mm(hand_capsules(hand.skeleton(shape)), self.solid.distance, Pose(rotation, shift)).min()
        )


def draw_held(rng: np.random.Generator, mode: str) -> str:
    """The kind of object in a picture of a mode; empty for none."""
    if mode == "carry":
        return str(rng.choice(list(CARRIED), p=list(CARRIED.values())))
    share = {"single": SINGLE_HOLDS, "near": NEAR_HOLDS}.get(mode, 0.0)
    kind = str(rng.choice(list(HELD_BY_ONE), p=list(HELD_BY_ONE.values())))
    return kind if rng.random() < share else ""


def holding_arm(
    rng: np.random.Generator, shape: HandShape, side: Side, stance: Stance, kind: str, skin: Material
) -> tuple[HandState, Held] | None:
    """A hand round an object of a kind, in the person frame; None where no grip was found."""
    solid = make_object(rng, kind, skin)
    grip = sample_grip(rng, shape, solid)
    if grip is None:
        return None
    held = Held(solid, side, grip.pose)
    wanted = _wanted(rng, kind)
    arms = []
    for _ in range(_POSES_TRIED):
        angles = grip.angles.with_wrist(rng.normal(0, WRIST_DEVIATION_DEG)).limited()
        if deepest_mm(shape, angles, solid.distance, grip.pose) >= DEEPEST_MM:
            arms.append(sample_arm(rng, shape, side, stance, replace(grip.angles, wrist_deg=angles.wrist_deg)))
    if not arms:
        return None
    return max(arms, key=lambda arm: float(np.sum(held.place(arm)[0] * wanted))), held


def _wanted(rng: np.random.Generator, kind: str) -> NDArray[np.float64]:
    """(3, 3) weights of person_from_solid: tops up; screens and covers to the person or to the camera."""
    wanted = np.zeros((3, 3))
    if kind in UPRIGHT and rng.random() < _UPRIGHT_SHARE:
        wanted[1, 1] = -1
    elif kind in {"phone", "tablet", "book", "card"}:
        wanted[2, 2] = rng.choice([1.0, -1.0], p=[0.65, 0.35])
    return wanted


def holding_pair(
    rng: np.random.Generator, shape: HandShape, mode: str, stance: Stance, kind: str, skin: Material
) -> tuple[Pair, Held] | None:
    """Two hands of which one or, in the mode `carry`, both hold an object; None where it did not work."""
    if mode == "carry":
        return _carrying(rng, shape, stance, kind, skin)
    side = SIDES[int(rng.integers(2))]
    holding = holding_arm(rng, shape, side, stance, kind, skin)
    if holding is None:
        return None
    arm, held = holding
    arms = {side: arm, other_side(side): sample_arm(rng, shape, other_side(side), stance)}
    right, left = (centered(arms[s], shape) for s in SIDES)
    pair = solve(apart(rng, right, left), shape, CONTACT_TOLERANCE_MM)
    if pair is None:
        return None
    holder, other = pair if side == "right" else pair[::-1]
    return (pair, held) if held.gap_mm(other, shape, holder) > 1 else None


def _carrying(
    rng: np.random.Generator, shape: HandShape, stance: Stance, kind: str, skin: Material
) -> tuple[Pair, Held] | None:
    for _ in range(_CARRY_TRIES):
        solid = _carried(rng, kind, skin)
        flat = kind in {"tablet", "book", "phone"}
        height = rng.normal(0, 8)
        grips = [_carrying_grip(rng, shape, solid, flat, height) for _ in SIDES]
        if grips[0] is None or grips[1] is None:
            continue
        right, left = (_about_solid(grip) for grip in grips if grip is not None)
        lean = rng.uniform(-15, 50) if stance == "raised" else rng.uniform(20, 80)
        turn = Rotation.from_euler(
            "xyz", [lean if flat else lean / 3, rng.normal(0, 20), rng.normal(0, 12)], degrees=True
        )
        mirrored = HandState("left", left.angles, left.placement.mirrored())
        states = [state.turned(turn.as_matrix(), np.zeros(3)) for state in (right, mirrored)]
        plan = with_elbows(rng, PairPlan(states[0], states[1], np.array([1.0, 0, 0])), stance)
        held = Held(solid, "right", grips[0].pose)
        if _fits(plan, held, shape):
            return (plan.right, plan.left), held
    return None


def _fits(plan: PairPlan, held: Held, shape: HandShape) -> bool:
    apart_mm = gap_mm(plan.right.skeleton(shape), plan.left.skeleton(shape))
    pressed = min(held.gap_mm(state, shape, plan.right) for state in (plan.right, plan.left))
    return apart_mm >= CONTACT_TOLERANCE_MM and pressed >= DEEPEST_MM


def _carried(rng: np.random.Generator, kind: str, skin: Material) -> Solid:
    """An object for two hands; all are symmetric at x = 0."""
    if kind == "box":
        return box(rng, skin, [rng.uniform(40, 115), rng.uniform(35, 95), rng.uniform(25, 70)])
    if kind == "ball":
        return sphere(rng, skin, rng.uniform(50, 105))
    solid = make_object(rng, kind, skin)
    if kind == "cup":
        return solid.turned(_UPSIDE_DOWN)
    return solid.turned(_LYING) if kind == "phone" or (kind == "tablet" and rng.random() < 0.5) else solid


def _carrying_grip(
    rng: np.random.Generator, shape: HandShape, solid: Solid, flat: bool, height_mm: float
) -> Grip | None:
    for _ in range(_GRIPS_TRIED):
        grip = _at_edge(rng, shape, solid) if flat else _at_side(rng, shape, solid, height_mm)
        if grip is not None and deepest_mm(shape, grip.angles, solid.distance, grip.pose) >= DEEPEST_MM:
            return grip
    return None


def _about_solid(grip: Grip) -> HandState:
    """A right hand in the solid's frame."""
    turn = grip.pose.rotation.T
    return HandState("right", grip.angles, Placement(-turn @ grip.pose.shift_mm, turn))


def _at_side(rng: np.random.Generator, shape: HandShape, solid: Solid, height_mm: float) -> Grip | None:
    """A right palm at the solid's -x side; fingers up, forward or down, in a frame whose -y is up."""
    angle = np.radians(rng.uniform(-20, 95))
    turn = facing([rng.normal(0, 0.1), -np.cos(angle), -np.sin(angle)], [1, 0, 0])
    palm = shape.joints_mm[[7, 11, 15, 19, 20]].mean(axis=0) - shape.joints_mm[20]
    half = float(np.abs(solid.parts[0].vertices_mm[:, 0]).max())
    offset = np.array([0.0, height_mm + rng.normal(0, 5), rng.normal(-8, 10)])
    center = palm + [0, 25, half - 25] + turn.T @ offset
    hand = open_hand(rng, rng.uniform(-4, 14), rng.uniform(3, 14), rng.uniform(0, 12))
    return closed(shape, solid, hand, Pose(turn.T, center), np.array([0.0, 0, 1]))


def _at_edge(rng: np.random.Generator, shape: HandShape, solid: Solid) -> Grip | None:
    """A right hand at the solid's -x edge, fingers behind it (at -z) and thumb in front."""
    room = float(np.abs(solid.parts[0].vertices_mm[:, 0]).max())  # for the finger tips of both hands
    return plate(rng, shape, solid, -np.radians(90 + rng.uniform(-5, 40)), FINGER_MM + rng.uniform(-6, 10) - room)

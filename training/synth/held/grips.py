"""Ways to hold a solid in one hand: in all fingers, as a plate before the fingers, in a pinch (numpy; any thread).

Solved in the frame of a right hand (see `grip_contact.py`); a left hand is its mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from training.synth.hand.contact import PALM, SELF_TOLERANCE_MM, hand_capsules, self_gap_mm
from training.synth.hand.poses import DIP_PER_PIP, GESTURES, SPREAD_SHARE, JointAngles
from training.synth.hand.shape import HandShape
from training.synth.held.grip_contact import (
    Pose,
    close_fingers,
    deepest_mm,
    lay_thumb,
    skeleton_at_hand,
    slide_away,
    touching,
)
from training.synth.person.appearance import unit
from training.synth.person.solids import Solid

DEEPEST_MM: Final = -6.0
"""The most that a solid may press into a hand anywhere."""
_TOUCH_MM: Final = 3.0
THUMB_REACH_MM: Final = 12.0
_TRIES: Final = 6
_WRAPPED: Final = ("cup", "bottle", "can", "ball", "box", "handle")
_PLATES: Final = ("tablet", "book", "card")


@dataclass(frozen=True)
class Grip:
    """A hand's pose and where the solid is in it."""

    angles: JointAngles
    pose: Pose


def sample_grip(rng: np.random.Generator, shape: HandShape, solid: Solid) -> Grip | None:
    """A hand round a solid, straight wrist; None where no try succeeded."""
    for _ in range(_TRIES):
        grip = _one_grip(rng, shape, solid)
        if grip is not None and _is_sound(shape, grip, solid):
            return grip
    return None


def _one_grip(rng: np.random.Generator, shape: HandShape, solid: Solid) -> Grip | None:
    if solid.kind in _WRAPPED:
        return _wrapped(rng, shape, solid)
    if solid.kind == "phone":
        return _phone(rng, shape, solid) if rng.random() < 0.6 else plate(rng, shape, solid)
    if solid.kind in _PLATES:
        return plate(rng, shape, solid)
    return _pen(rng, shape, solid)


def _is_sound(shape: HandShape, grip: Grip, solid: Solid) -> bool:
    own = self_gap_mm(skeleton_at_hand(shape, grip.angles)) >= SELF_TOLERANCE_MM - 1
    return own and deepest_mm(shape, grip.angles, solid.distance, grip.pose) >= DEEPEST_MM


def open_hand(rng: np.random.Generator, base_deg: float, middle_deg: float, spread_deg: float) -> JointAngles:
    """Four nearly parallel fingers, the thumb away from the palm."""
    fingers = rng.normal(0, 1.5, (5, 4))
    fingers[0] = -14, 14, 0, 4
    fingers[1:, 0] += base_deg
    fingers[1:, 1] = spread_deg * SPREAD_SHARE
    fingers[1:, 2] = middle_deg + np.abs(rng.normal(0, 2, 4))
    fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2]
    return JointAngles(fingers, np.zeros(3)).limited()


def _frame(y: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """(3, 3) hand_from_solid with the solid's y along one and its z near another direction."""
    along = unit(np.asarray(y, np.float64))
    across = np.asarray(z, np.float64)
    across = unit(across - across @ along * along)
    return np.stack([np.cross(along, across), along, across], axis=1)


def _wrapped(rng: np.random.Generator, shape: HandShape, solid: Solid) -> Grip | None:
    """A power grip: the axis across the palm, fingers round it, the thumb opposite."""
    oblique = np.radians(rng.normal(16, 9))
    axis = np.array([np.cos(oblique), np.sin(oblique), rng.normal(0, 0.06)]) * (1 if rng.random() < 0.9 else -1)
    rotation = _frame(axis, [0, 0, 1])
    if solid.kind == "ball":
        rotation = Rotation.random(random_state=np.random.RandomState(rng.integers(2**31))).as_matrix()
    knuckles = shape.joints_mm[[7, 11, 15, 19]].mean(axis=0) - shape.joints_mm[20]
    low, high = extent_mm(solid)
    slip = rng.uniform(-0.45, 0.45) * max(0.0, (high - low) / 2 - 35) if solid.kind != "ball" else 0.0
    radius = girth_mm(solid)
    center = knuckles + [0, rng.uniform(-8, 4) + 0.28 * radius, radius - 18] - slip * rotation[:, 1]
    spread = rng.uniform(6, 14) if solid.kind == "ball" else rng.uniform(-1, 4)
    hand = open_hand(rng, rng.uniform(-6, 6), rng.uniform(0, 12), spread)
    return closed(shape, solid, hand, Pose(rotation, center), np.array([0.0, 0, 1]))


def _phone(rng: np.random.Generator, shape: HandShape, solid: Solid) -> Grip | None:
    """The back against palm and fingers, the long side oblique, finger tips round one edge, the thumb at the other."""
    oblique = np.radians(rng.uniform(22, 62))
    axis = np.array([np.cos(oblique), np.sin(oblique), rng.normal(0, 0.05)])
    knuckles = shape.joints_mm[[7, 11, 15, 19]].mean(axis=0) - shape.joints_mm[20]
    rotation = _frame(axis, [0, rng.normal(0.1, 0.1), 1])
    center = knuckles + [rng.normal(4, 8), rng.uniform(-6, 12), -8.0] + rng.uniform(-10, 35) * rotation[:, 1]
    hand = open_hand(rng, rng.uniform(-4, 10), rng.uniform(4, 16), rng.uniform(0, 5))
    return closed(shape, solid, hand, Pose(rotation, center), rotation[:, 2])


def closed(shape: HandShape, solid: Solid, hand: JointAngles, pose: Pose, away: NDArray) -> Grip | None:
    """The solid laid into the open hand, fingers and thumb closed on it."""
    capsules = hand_capsules(skeleton_at_hand(shape, hand))
    laid = slide_away(capsules.select(capsules.finger != 0), solid.distance, pose, away, 90)
    if laid is None:
        return None
    angles = close_fingers(shape, hand, solid.distance, laid)
    thumbed = lay_thumb(shape, angles, solid.distance, laid)
    if thumbed is None:
        return None
    touched = touching(shape, thumbed, solid.distance, laid, _TOUCH_MM)
    near = touching(shape, thumbed, solid.distance, laid, THUMB_REACH_MM)
    holds = len(touched & {1, 2, 3, 4}) >= 3 and 0 in near and PALM in near
    return Grip(thumbed, laid) if holds else None


def plate(
    rng: np.random.Generator, shape: HandShape, solid: Solid, turn_rad: float | None = None, edge_mm: float = -14.0
) -> Grip | None:
    """Something flat between the thumb in front and slightly bent fingers behind.

    `turn_rad` is the angle from the fingers to the solid's y axis, to the thumb's side, random by default; the edge is
    at least `edge_mm` beyond the knuckles.
    """
    base, middle = rng.uniform(4, 38), rng.uniform(4, 22)
    hand = open_hand(rng, base, middle, rng.uniform(-1, 8))
    lean = np.radians(base + 0.5 * middle)
    along, normal = np.array([0, np.cos(lean), np.sin(lean)]), np.array([0, -np.sin(lean), np.cos(lean)])
    turn = np.radians(rng.normal(0, 22)) + rng.choice([0.0, np.pi / 2]) if turn_rad is None else turn_rad
    up = np.cos(turn) * along + np.sin(turn) * np.array([1.0, 0, 0])
    rotation = _frame(up, normal)
    half = np.abs(solid.parts[0].vertices_mm).max(axis=0)
    slope = np.maximum(np.abs([rotation[:, 0] @ along, up @ along]), 1e-3)
    reach = float((half[:2] / slope).min())
    knuckles = shape.joints_mm[[7, 11, 15, 19]].mean(axis=0) - shape.joints_mm[20]
    small = reach < 45
    edge = max(edge_mm, rng.uniform(8, 28) if small else rng.uniform(-14, 8))
    side = rng.uniform(-0.5, 0.35) * half[0] * (not small)
    center = knuckles + (edge + reach) * along + [side + rng.normal(4, 6), 0, 0] - 10 * normal
    capsules = hand_capsules(skeleton_at_hand(shape, hand))
    laid = slide_away(capsules.select(capsules.finger != 0), solid.distance, Pose(rotation, center), normal, 60)
    if laid is None:
        return None
    angles = close_fingers(shape, hand, solid.distance, laid)
    thumbed = lay_thumb(shape, angles, solid.distance, laid, normal)
    if thumbed is None:
        return None
    holds = len(touching(shape, thumbed, solid.distance, laid, _TOUCH_MM) & {1, 2, 3, 4}) >= 2
    return Grip(thumbed, laid) if holds and 0 in touching(shape, thumbed, solid.distance, laid, 6.0) else None


def _pen(rng: np.random.Generator, shape: HandShape, solid: Solid) -> Grip | None:
    """Between the pulps of thumb, index and often middle finger; the other end on the hand, beside the knuckle."""
    fingers = GESTURES["pinch"].fingers_deg.copy()
    bend = rng.uniform(-14, 10)
    fingers[1, 0] += bend
    fingers[2] = fingers[1] + [rng.uniform(-4, 6), -8, rng.uniform(0, 8), 0]
    curl = rng.uniform(10, 55)
    fingers[3:, 0] = fingers[1, 0] + rng.uniform(-6, 12, 2)
    fingers[3:, 2] = fingers[1, 2] + curl + rng.uniform(-4, 8, 2)
    fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2]
    fingers[0] += rng.normal(0, 3, 4)
    hand = JointAngles(fingers, np.zeros(3)).limited()
    joints = skeleton_at_hand(shape, hand).joints_mm
    knuckle = joints[7] + [rng.uniform(12, 24), rng.uniform(-22, 2), rng.uniform(-16, 2)]
    tips = (joints[0] + joints[4]) / 2
    axis = unit(knuckle - tips)
    rotation = _frame(axis, [1, 0, 0])
    opened = hand.fingers_deg.copy()
    opened[1:3, 0] -= 26
    opened[1:3, 2] -= 18
    opened[1:, 3] = DIP_PER_PIP * opened[1:, 2]
    half = extent_mm(solid)[1]
    pose = Pose(rotation, tips + axis * (half - rng.uniform(18, 42)))
    start = JointAngles(opened, hand.wrist_deg).limited()
    capsules = hand_capsules(skeleton_at_hand(shape, start), forearm=False)
    thumb = capsules.select(capsules.finger == 0)
    towards = joints[4] - joints[0]
    towards = unit(np.array([0.3, 0.2, -1.0]) if np.linalg.norm(towards) < 4 else towards)
    laid = slide_away(thumb, solid.distance, pose, unit(towards - towards @ axis * axis), 14)
    if laid is None:
        return None
    angles = close_fingers(shape, start, solid.distance, laid, (1, 2))
    touched = touching(shape, angles, solid.distance, laid, _TOUCH_MM)
    return Grip(angles, laid) if {0, 1} <= touched else None


def extent_mm(solid: Solid) -> tuple[float, float]:
    """From where to where along its y axis the piece is that the hand holds."""
    along = solid.parts[0].vertices_mm[:, 1]
    return float(along.min()), float(along.max())


def girth_mm(solid: Solid) -> float:
    """Half its thickness along z."""
    return float(np.abs(solid.parts[0].vertices_mm[:, 2]).max())

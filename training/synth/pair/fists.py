"""Fists that meet a fist or a palm, as plans of `families.py` (numpy; any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from engines.skeleton import SIDES
from training.synth.hand.contact import SELF_TOLERANCE_MM, self_gap_mm
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape
from training.synth.hand.shapes import hand_shape
from training.synth.pair.arms import WRIST_DEVIATION_DEG, sample_fingers
from training.synth.pair.mirrored import both
from training.synth.pair.plan import (
    CAMERA,
    DOWN,
    PERSON,
    UP,
    PairPlan,
    about,
    facing,
    hand_about,
    in_order,
    inward,
    roles,
)

_TRIES: Final = 12
_FISTS: Final = ("fist", "fist_thumb_beside", "fist_thumb_inside")


def tight_fist(rng: np.random.Generator, shape: HandShape, shares: Sequence[float] = (0.65, 0.25, 0.1)) -> JointAngles:
    """A closed fist, its thumb across, beside or inside by these shares."""
    name = str(rng.choice(_FISTS, p=shares))
    for _ in range(_TRIES):
        fingers = hand_shape(name).fingers_deg + rng.normal(0, [3.0, 1.5, 3.0, 3.0], (5, 4))
        angles = JointAngles(fingers, rng.normal(0, WRIST_DEVIATION_DEG)).limited()
        if (
            self_gap_mm(HandState("right", angles, Placement(np.zeros(3), np.eye(3))).skeleton(shape))
            > SELF_TOLERANCE_MM
        ):
            return angles
    return sample_fingers(rng, shape, "fist")


def fist_on_fist(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """One fist on the other, knuckles against knuckles, or both side by side with fingers down."""
    kind = rng.choice(["stack", "knuckles", "down"])
    over, under = roles(rng)
    states = {}
    for side in SIDES:
        inwards = inward(side)
        along, palm = {
            "stack": (inwards + 0.3 * CAMERA, PERSON if rng.random() < 0.6 else DOWN),
            "knuckles": (inwards + 0.4 * UP, PERSON if rng.random() < 0.5 else DOWN),
            "down": (DOWN + 0.25 * inwards, PERSON),
        }[kind]
        rotation = facing(about(along, rng, 0.12), about(palm, rng, 0.15))
        states[side] = hand_about(side, tight_fist(rng, shape), rotation, rng.normal(0, 6, 3), shape)
    if kind == "stack":
        return replace(in_order(states[over], states[under], UP), most_mm=110, settle_deg=15)
    return PairPlan(states["right"], states["left"], np.array([1.0, 0, 0]), settle_deg=15)


def fist_in_palm(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """A fist in the other, half open hand, which closes round it."""
    cover, fist = roles(rng)
    inwards, below = inward(fist), rng.random() < 0.4
    away = DOWN if below else inwards  # from the fist to the palm
    along = inwards if not below else inwards + 0.4 * CAMERA
    palm = DOWN if below or rng.random() < 0.5 else PERSON
    inner = facing(about(along, rng, 0.15), about(palm, rng, 0.15))
    one = hand_about(fist, tight_fist(rng, shape), inner, np.zeros(3), shape)
    fingers = -inwards + 0.4 * CAMERA if below else UP + 0.5 * CAMERA * rng.random()
    outer = facing(about(fingers, rng, 0.2), about(-away, rng, 0.1))
    other = hand_about(cover, sample_fingers(rng, shape, "open"), outer, rng.normal(0, 8, 3), shape)
    found = replace(in_order(other, one, away), most_mm=120, settle_deg=20)
    return replace(found, curl=(cover,), curl_most_deg=rng.uniform(60, 170), thumbs=(cover,))


def fists_together(rng: np.random.Generator, shape: HandShape) -> PairPlan:
    """Fists pressed together palm to palm, fingers against fingers: hanging down, towards the camera, or up."""
    tilt = np.radians(rng.choice([180.0, 90.0, 0.0], p=[0.5, 0.25, 0.25]) + rng.normal(0, 20))
    along = UP * np.cos(tilt) + CAMERA * np.sin(tilt) + rng.normal(0.1, 0.15) * inward("right")
    rotation = facing(about(along, rng, 0.05), about(inward("right"), rng, 0.1))
    right, left = both(tight_fist(rng, shape, (0.15, 0.8, 0.05)), rotation, np.array([0, *rng.normal(0, 4, 2)]))
    return PairPlan(right, left, np.array([1.0, 0, 0]), settle_deg=20, thumbs=SIDES)

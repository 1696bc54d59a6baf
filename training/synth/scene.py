"""One random picture's scene: who, which hands, from where, in which light; all from (seed, index) (any thread).

Nothing is drawn here, so no OpenGL is needed. What goes wrong in making a scene is a `Rejected` with its cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES
from training.synth.appearance import DressedHand, Lights, Prop, sample_lights, unit
from training.synth.arms import Stance, sample_arm
from training.synth.contact import gap_mm
from training.synth.hand_model import MIRROR, HandState
from training.synth.pair_contact import sample_pair
from training.synth.pair_plan import palm_center
from training.synth.pair_plans import PAIR_SHARE
from training.synth.panorama import Panorama, panorama_lights
from training.synth.people import Person, sample_person
from training.synth.views import PICTURE_PX, VIEW_SHARE, View, frame_joints, sample_stance, sample_view
from training.synth.worn import Dresser

PAIR_PICTURES: Final = 0.52
"""Share of pictures with two hands."""
PANORAMA_SHARE: Final = 0.35
NEAREST_JOINT_MM: Final = 150.0
NEAREST_SURFACE_MM: Final = 70.0
BARE_WRIST_MM: Final = 100.0
_WRIST_MODES: Final = ("hold", "over", "cross", "touch")
UPPER_ARM_MM: Final = 330.0
_SHOULDER_TRIES: Final = 8


class Rejected(Exception):
    """A scene that cannot be used; its text is the cause in a word or two."""


@dataclass(frozen=True)
class Recipe:
    """What is decided before anything can go wrong, so that rejections do not change the mixture."""

    mode: str
    """`single` or one of `PAIR_SHARE`."""
    view: str
    side: int
    """0 right, 1 left: the hand of a single-hand picture."""


@dataclass(frozen=True)
class Scene:
    """A picture before it is drawn; camera frame, mm."""

    recipe: Recipe
    person: Person
    states: tuple[HandState, ...]
    hands: tuple[DressedHand, ...]
    props: tuple[Prop, ...]
    lights: Lights
    intrinsics: Intrinsics
    """Of a square picture of `PICTURE_PX`."""
    joints_cam_mm: NDArray[np.float64]
    """(42, 3) zeros for an absent hand."""
    present: NDArray[np.bool_]
    """(2,) right, left."""
    gap_mm: float
    """Smallest gap between both hands; infinite for one."""


def draw_recipe(rng: np.random.Generator) -> Recipe:
    """The kind of picture."""
    pair = rng.random() < PAIR_PICTURES
    mode = str(rng.choice(list(PAIR_SHARE), p=list(PAIR_SHARE.values()))) if pair else "single"
    return Recipe(mode, str(rng.choice(list(VIEW_SHARE), p=list(VIEW_SHARE.values()))), int(rng.integers(2)))


def draw_scene(rng: np.random.Generator, recipe: Recipe, panoramas: Sequence[Panorama] = ()) -> Scene:
    """A random scene of a kind; raises `Rejected`."""
    person = _dressed_for(sample_person(rng), recipe)
    view = sample_view(rng, recipe.view)
    stance = sample_stance(rng, recipe.view)
    states = _before_camera(_hands(rng, recipe, person, stance), person, view)
    joints, present = _joints(states, person)
    counted = joints[np.repeat(present, 21)]
    if counted[:, 2].min() < NEAREST_JOINT_MM:
        raise Rejected("too near")
    intrinsics = frame_joints(rng, counted)
    dressers = [Dresser(state, person.shape, person.material) for state in states]
    props = [prop for dresser in dressers for prop in _worn(rng, dresser, person, view, stance, intrinsics)]
    if min(float(d.mesh.vertices_mm[:, 2].min()) for d in dressers) < NEAREST_SURFACE_MM:
        raise Rejected("arm at the lens")
    other = person.material.for_other_hand()
    hands = [DressedHand(d.mesh, other if d.side == "left" else person.material) for d in dressers]
    gap = gap_mm(dressers[0].skeleton, dressers[1].skeleton) if len(dressers) == 2 else np.inf
    lights = _lights(rng, panoramas)
    return Scene(recipe, person, states, tuple(hands), tuple(props), lights, intrinsics, joints, present, gap)


def _dressed_for(person: Person, recipe: Recipe) -> Person:
    """Sleeves pushed back where the other hand may lie on the wrist: cloth takes no part in contact."""
    start = person.wardrobe.sleeve_start
    if recipe.mode not in _WRIST_MODES or start >= BARE_WRIST_MM:
        return person
    return replace(person, wardrobe=replace(person.wardrobe, sleeve_start=BARE_WRIST_MM))


def _hands(rng: np.random.Generator, recipe: Recipe, person: Person, stance: Stance) -> tuple[HandState, ...]:
    """One or two hands in the person frame."""
    if recipe.mode == "single":
        return (sample_arm(rng, person.shape, SIDES[recipe.side], stance),)
    pair = sample_pair(rng, person.shape, recipe.mode, stance)
    if pair is None:
        raise Rejected("no contact found")
    return pair


def _before_camera(states: tuple[HandState, ...], person: Person, view: View) -> tuple[HandState, ...]:
    """The hands with the middle between their palms where the view has it."""
    middle = np.mean([palm_center(state.skeleton(person.shape)) for state in states], axis=0)
    shift = view.hands_cam_mm - view.camera_from_person @ middle
    return tuple(state.turned(view.camera_from_person, shift) for state in states)


def _joints(states: tuple[HandState, ...], person: Person) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    joints, present = np.zeros((42, 3)), np.zeros(2, bool)
    for state in states:
        joints[HAND_SLICES[state.side]] = state.skeleton(person.shape).joints_mm
        present[SIDES.index(state.side)] = True
    return joints, present


def _worn(
    rng: np.random.Generator, dresser: Dresser, person: Person, view: View, stance: Stance, intrinsics: Intrinsics
) -> list[Prop]:
    """What the hand wears, with the upper arm where the forearm ends inside the picture."""
    elbow = dresser.elbow_mm()
    if not _in_picture(elbow, intrinsics, margin=0.35):
        return dresser.worn(person.wardrobe, None)
    shoulder = _shoulder(rng, dresser, view, stance, intrinsics)
    parts = dresser.worn(person.wardrobe, shoulder)
    if parts[-1].vertices_mm[:, 2].min() < NEAREST_SURFACE_MM:
        raise Rejected("arm at the lens")
    return parts


def _shoulder(
    rng: np.random.Generator, dresser: Dresser, view: View, stance: Stance, intrinsics: Intrinsics
) -> NDArray[np.float64]:
    """(3,) a place above and behind the elbow that lies outside the picture."""
    for _ in range(_SHOULDER_TRIES):
        back = np.array([rng.normal(0, 0.35) - 0.1, -1.0 if stance == "raised" else -0.7, rng.uniform(0.0, 1.0)])
        back = unit(back if dresser.side == "right" else back * MIRROR)
        shoulder = dresser.elbow_mm() + UPPER_ARM_MM * view.camera_from_person @ back
        if not _in_picture(shoulder, intrinsics, margin=0.22):
            return shoulder
    raise Rejected("open arm in sight")


def _in_picture(point_cam_mm: NDArray, intrinsics: Intrinsics, margin: float) -> bool:
    """Whether a point falls into the picture enlarged by a margin (in sides of it); what is behind the camera does not.

    Nearer than the near plane counts as outside.
    """
    if point_cam_mm[2] < NEAREST_SURFACE_MM:
        return False
    px = project(point_cam_mm, intrinsics) / PICTURE_PX
    return bool(np.all((px > -margin) & (px < 1 + margin)))


def _lights(rng: np.random.Generator, panoramas: Sequence[Panorama]) -> Lights:
    if len(panoramas) and rng.random() < PANORAMA_SHARE:
        return panorama_lights(rng, panoramas[int(rng.integers(len(panoramas)))])
    return sample_lights(rng)

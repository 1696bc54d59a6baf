"""One random picture's scene: who, which hands, from where, in which light; all from (seed, index) (any thread).

Nothing is drawn here, so no OpenGL is needed. What goes wrong in making a scene is a `Rejected` with its cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES, Side
from training.synth.hand.contact import gap_mm
from training.synth.hand.model import MIRROR, HandState
from training.synth.held.holding import Held, draw_held, holding_arm, holding_pair
from training.synth.pair.arms import Stance, sample_arm
from training.synth.pair.contact import sample_pair
from training.synth.pair.families import FAMILIES
from training.synth.pair.plan import palm_center
from training.synth.pair.plans import PAIR_SHARE
from training.synth.person.appearance import DressedHand, Lights, Prop, sample_lights, unit
from training.synth.person.people import Person, another_look, sample_person
from training.synth.person.worn import Dresser
from training.synth.scene.backdrop import draw_still, find_own_body
from training.synth.scene.bystanders import beyond, draw_behind
from training.synth.scene.exposure import MOVING_SHARE, Exposure, sample_exposure
from training.synth.scene.outfit import Outfit
from training.synth.scene.panorama import Panorama, Room, panorama_room
from training.synth.scene.views import (
    FAMILY_VIEW_SHARE,
    NEAREST_SURFACE_MM,
    PICTURE_PX,
    VIEW_SHARE,
    View,
    frame_joints,
    sample_stance,
    sample_view,
)

PAIR_PICTURES: Final = 0.62
"""Share of pictures with two hands."""
PANORAMA_SHARE: Final = 0.45
ROOM_SHARE: Final = 0.55
"""Of the pictures lit by a panorama: those that show it too; the others are cut out."""
NEAREST_JOINT_MM: Final = 150.0
BARE_WRIST_MM: Final = 100.0
_WRIST_MODES: Final = ("hold", "over", "cross", "touch", "wrapped_wrist", "crossed_wrists", "palm_on_back", "washing")
UPPER_ARM_MM: Final = 330.0
_SHOULDER_TRIES: Final = 20


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
    held: str = ""
    """One of `HELD_BY_ONE` or `CARRIED`, or nothing."""
    behind: str = ""
    """One of `BEHIND`, or nothing."""
    moving: bool = False
    """Whether the hands move during the exposure."""


@dataclass(frozen=True)
class Meeting:
    """Hands as somebody holds them, whoever looks on: what several pictures may share; person frame, mm."""

    person: Person
    stance: Stance
    states: tuple[HandState, ...]
    held: Held | None


@dataclass(frozen=True)
class Scene:
    """A picture before it is drawn; camera frame, mm."""

    recipe: Recipe
    meeting: Meeting
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
    still: tuple[Prop, ...]
    """What is behind; `props` move with the hands."""
    outfit: Outfit
    exposure: Exposure | None
    """None for a picture without motion."""
    room: Room | None
    """What fills the picture behind everything; None for a cut-out."""

    @property
    def person(self) -> Person:
        """Whose hands they are."""
        return self.meeting.person

    def during(self, share: float) -> tuple[tuple[DressedHand, ...], tuple[Prop, ...]]:
        """Hands and all other things at -0.5 .. 0.5 of the exposure; 0 is what the labels are true of."""
        if self.exposure is None or share == 0:
            return self.hands, self.props + self.still
        hands, props = self.outfit.put_on(self.exposure.at(self.states, share))
        return hands, props + self.still


def draw_recipe(rng: np.random.Generator, mode: str = "") -> Recipe:
    """The kind of picture; `mode` if it is given, `single` or one of `PAIR_SHARE`."""
    held_rng, behind_rng, moving_rng = rng.spawn(3)
    pair = rng.random() < PAIR_PICTURES
    drawn = str(rng.choice(list(PAIR_SHARE), p=list(PAIR_SHARE.values()))) if pair else "single"
    mode = mode or drawn
    views = FAMILY_VIEW_SHARE if mode in FAMILIES else VIEW_SHARE
    view = str(rng.choice(list(views), p=list(views.values())))
    side = int(rng.integers(2))
    moving = moving_rng.random() < MOVING_SHARE
    return Recipe(mode, view, side, draw_held(held_rng, mode), draw_behind(behind_rng, view), moving)


def another_recipe(rng: np.random.Generator, recipe: Recipe) -> Recipe:
    """The same hands in the same kind of view, before something else and still or moving anew."""
    return replace(recipe, behind=draw_behind(rng, recipe.view), moving=rng.random() < MOVING_SHARE)


def draw_scene(
    rng: np.random.Generator, recipe: Recipe, panoramas: Sequence[Panorama] = (), meeting: Meeting | None = None
) -> Scene:
    """A random scene of a kind, of hands that meet as given or anew; raises `Rejected`.

    Hands that meet as given have another camera, light, skin and clothes, and something else behind them.
    """
    held_rng, behind_rng, motion_rng = rng.spawn(3)
    looking = sample_person(rng) if meeting is None else another_look(rng, meeting.person)
    person, view = _dressed_for(looking, recipe), sample_view(rng, recipe.view)
    meeting = _met(rng, held_rng, recipe, person) if meeting is None else replace(meeting, person=person)
    stance, in_person, held = meeting.stance, meeting.states, meeting.held
    shift = _shift(in_person, person, view)
    states = tuple(state.turned(view.camera_from_person, shift) for state in in_person)
    joints, present = _joints(states, person)
    counted = joints[np.repeat(present, 21)]
    if counted[:, 2].min() < NEAREST_JOINT_MM:
        raise Rejected("too near")
    intrinsics = frame_joints(rng, counted)
    body = find_own_body(behind_rng, person, view, shift, in_person, intrinsics) if recipe.behind == "person" else None
    shoulders = body.shoulders_cam_mm if body else _shoulders(rng, states, person, view, stance, intrinsics)
    outfit = Outfit(person, shoulders, held)
    hands, props = outfit.put_on(states)
    _check_distance(hands, props)
    if body is None:
        kind, still = draw_still(
            behind_rng, recipe.behind, recipe.view, person, view, shift, intrinsics, beyond(hands, props, intrinsics)
        )
        recipe = replace(recipe, behind=kind)
    else:
        still = body.props
    skeletons = [state.skeleton(person.shape) for state in states]
    gap = gap_mm(skeletons[0], skeletons[1]) if len(states) == 2 else np.inf
    lights, room = _lights(rng, panoramas)
    exposure = _exposure(motion_rng, recipe, states, person, intrinsics, held)
    return Scene(
        recipe=recipe,
        meeting=meeting,
        states=states,
        hands=hands,
        props=props,
        lights=lights,
        intrinsics=intrinsics,
        joints_cam_mm=joints,
        present=present,
        gap_mm=gap,
        still=still,
        outfit=outfit,
        exposure=exposure,
        room=room,
    )


def _check_distance(hands: Sequence[DressedHand], props: Sequence[Prop]) -> None:
    if min(float(h.mesh.vertices_mm[:, 2].min()) for h in hands) < NEAREST_SURFACE_MM:
        raise Rejected("arm at the lens")
    if min((float(p.vertices_mm[:, 2].min()) for p in props), default=np.inf) < NEAREST_SURFACE_MM:
        raise Rejected("arm at the lens")


def _exposure(
    rng: np.random.Generator,
    recipe: Recipe,
    states: tuple[HandState, ...],
    person: Person,
    intrinsics: Intrinsics,
    held: Held | None,
) -> Exposure | None:
    if not recipe.moving:
        return None
    rings = person.wardrobe.rings
    keeps = [bool(rings[SIDES.index(s.side)]) or (held is not None and held.holder == s.side) for s in states]
    return sample_exposure(rng, states, person.shape, intrinsics, recipe.mode, keeps)


def _dressed_for(person: Person, recipe: Recipe) -> Person:
    """Sleeves pushed back where the other hand may lie on the wrist: cloth takes no part in contact."""
    start = person.wardrobe.sleeve_start
    if recipe.mode not in _WRIST_MODES or start >= BARE_WRIST_MM:
        return person
    return replace(person, wardrobe=replace(person.wardrobe, sleeve_start=BARE_WRIST_MM))


def _met(rng: np.random.Generator, held_rng: np.random.Generator, recipe: Recipe, person: Person) -> Meeting:
    stance = sample_stance(rng, recipe.view)
    return Meeting(person, stance, *_hands(rng, held_rng, recipe, person, stance))


def _hands(
    rng: np.random.Generator, held_rng: np.random.Generator, recipe: Recipe, person: Person, stance: Stance
) -> tuple[tuple[HandState, ...], Held | None]:
    """One or two hands in the person frame, and what they hold."""
    shape, skin = person.shape, person.material
    if recipe.mode == "single":
        side = SIDES[recipe.side]
        if not recipe.held:
            return (sample_arm(rng, shape, side, stance),), None
        holding = holding_arm(held_rng, shape, side, stance, recipe.held, skin)
        if holding is None:
            raise Rejected("no grip found")
        return (holding[0],), holding[1]
    if recipe.held:
        carrying = holding_pair(held_rng, shape, recipe.mode, stance, recipe.held, skin)
        if carrying is None:
            raise Rejected("no grip found")
        return carrying
    pair = sample_pair(rng, shape, recipe.mode, stance)
    if pair is None:
        raise Rejected("no contact found")
    return pair, None


def _shift(states: tuple[HandState, ...], person: Person, view: View) -> NDArray[np.float64]:
    """(3,) what brings the middle between the palms, turned, to where the view has it."""
    middle = np.mean([palm_center(state.skeleton(person.shape)) for state in states], axis=0)
    return np.asarray(view.hands_cam_mm - view.camera_from_person @ middle)


def _joints(states: tuple[HandState, ...], person: Person) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    joints, present = np.zeros((42, 3)), np.zeros(2, bool)
    for state in states:
        joints[HAND_SLICES[state.side]] = state.skeleton(person.shape).joints_mm
        present[SIDES.index(state.side)] = True
    return joints, present


def _shoulders(
    rng: np.random.Generator,
    states: Sequence[HandState],
    person: Person,
    view: View,
    stance: Stance,
    intrinsics: Intrinsics,
) -> tuple[NDArray | None, ...]:
    """For each hand a shoulder, where the forearm ends inside the picture."""
    found: list[NDArray | None] = []
    for state in states:
        elbow = Dresser(state, person.shape, person.material).elbow_mm()
        near = _in_picture(elbow, intrinsics, margin=0.35)
        found.append(_shoulder(rng, elbow, state.side, view, stance, intrinsics) if near else None)
    return tuple(found)


def _shoulder(
    rng: np.random.Generator, elbow_mm: NDArray, side: Side, view: View, stance: Stance, intrinsics: Intrinsics
) -> NDArray[np.float64]:
    """(3,) a place above and behind the elbow that lies outside the picture."""
    for _ in range(_SHOULDER_TRIES):
        back = np.array([rng.normal(0, 0.35) - 0.1, -1.0 if stance == "raised" else -0.7, rng.uniform(0.0, 1.0)])
        back = unit(back if side == "right" else back * MIRROR)
        shoulder = elbow_mm + UPPER_ARM_MM * view.camera_from_person @ back
        if not _in_picture(shoulder, intrinsics, margin=0.22):
            return np.asarray(shoulder)
    raise Rejected("open arm in sight")


def _in_picture(point_cam_mm: NDArray, intrinsics: Intrinsics, margin: float) -> bool:
    """Whether a point falls into the picture enlarged by a margin (in sides of it); what is behind the camera does not.

    Nearer than the near plane counts as outside.
    """
    if point_cam_mm[2] < NEAREST_SURFACE_MM:
        return False
    px = project(point_cam_mm, intrinsics) / PICTURE_PX
    return bool(np.all((px > -margin) & (px < 1 + margin)))


def _lights(rng: np.random.Generator, panoramas: Sequence[Panorama]) -> tuple[Lights, Room | None]:
    if len(panoramas) and rng.random() < PANORAMA_SHARE:
        lights, room = panorama_room(rng, panoramas[int(rng.integers(len(panoramas)))])
        return lights, room if rng.random() < ROOM_SHARE else None
    return sample_lights(rng), None

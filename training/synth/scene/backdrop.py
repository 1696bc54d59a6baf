"""What a scene shows behind its hands, in the camera frame: own body, or something else (numpy; any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics
from training.synth.hand.model import HandState
from training.synth.person.appearance import Prop
from training.synth.person.people import Person
from training.synth.scene.bystanders import arm, body_scale, clutter, lap, other_person, own_body, place_body, shows
from training.synth.scene.views import NEAREST_SURFACE_MM, View

_BODY_TRIES: Final = 6
_ARM_INSTEAD: Final = 0.55


@dataclass(frozen=True)
class OwnBody:
    """The person's body in the camera frame."""

    shoulders_cam_mm: tuple[NDArray[np.float64], ...]
    """For each hand (3,)."""
    props: tuple[Prop, ...]


def find_own_body(
    rng: np.random.Generator,
    person: Person,
    view: View,
    shift: NDArray,
    in_person: tuple[HandState, ...],
    intrinsics: Intrinsics,
) -> OwnBody | None:
    """The body from whose shoulders the arms come; None where it would not show or be at the lens."""
    arms = [state.skeleton(person.shape) for state in in_person]
    sides = [state.side for state in in_person]
    for _ in range(_BODY_TRIES):
        body = place_body(rng, arms, body_scale(person))
        if body is None:
            return None
        props = own_body(rng, person, body, view.camera_from_person, shift, sides)
        if shows(props, intrinsics) and min(float(p.vertices_mm[:, 2].min()) for p in props) > NEAREST_SURFACE_MM:
            shoulders = [view.camera_from_person @ body.shoulder(side) + shift for side in sides]
            return OwnBody(tuple(shoulders), tuple(props))
    return None


def draw_still(
    rng: np.random.Generator,
    kind: str,
    view_kind: str,
    person: Person,
    view: View,
    shift: NDArray,
    intrinsics: Intrinsics,
    far_mm: float,
) -> tuple[str, tuple[Prop, ...]]:
    """What is behind, other than the person's own body, and its kind.

    Where body or lap would not be in the picture, an arm or other things take its place.
    """
    turn = view.camera_from_person
    props: Sequence[Prop] = ()
    if kind == "lap":
        props = lap(rng, person, -turn.T @ shift, turn, shift)
    elif kind == "other":
        props = other_person(rng, view_kind, turn, intrinsics, far_mm)
    elif kind == "clutter":
        props = clutter(rng, intrinsics, far_mm)
    if kind in {"", "clutter"} or (props and shows(props, intrinsics)):
        return kind, tuple(props)
    if kind == "arm" or rng.random() < _ARM_INSTEAD:
        return "arm", tuple(arm(rng, person, intrinsics, far_mm))
    return "clutter", tuple(clutter(rng, intrinsics, far_mm))

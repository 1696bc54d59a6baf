"""A scene in motion: a person's two hands before a camera, and a picture of it at any frame; the sample clip's scene.

Made from a seed; belongs to the thread of its renderer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, project
from training.synth.hand.model import HandMesh, HandState
from training.synth.hand.shape import HandShape, neutral_shape
from training.synth.person.appearance import DressedHand, Lights, Material, Prop, sample_material, unit
from training.synth.person.worn import Dresser, Wardrobe
from training.synth.render.sensor import Webcam
from training.synth.scene.background import room
from training.synth.story.keyframes import Story
from training.synth.story.keys import DURATION_S

if TYPE_CHECKING:
    from training.synth.render.renderer import Renderer

WIDTH, HEIGHT, RATE_HZ = 640, 480, 30
FIELD_OF_VIEW_DEG: Final = 60.0
FOCAL_PX: Final = WIDTH / 2 / float(np.tan(np.radians(FIELD_OF_VIEW_DEG / 2)))
INTRINSICS: Final = Intrinsics(FOCAL_PX, FOCAL_PX, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
SHUTTER_SHARE: Final = 0.45
"""Share of the frame time during which the shutter is open."""
SUB_FRAMES: Final = ((-0.375, 0.125, -0.375), (-0.125, -0.375, -0.125), (0.125, 0.375, 0.125), (0.375, -0.125, 0.375))
"""Moment within the exposure (of its length) and shift of the principal point in px: motion blur and smooth edges."""


class Motion(Protocol):
    """Two hands over time."""

    def at(self, t_s: float) -> tuple[HandState, HandState]:
        """Right and left hand in the camera frame at a time in seconds."""
        ...


@dataclass(frozen=True)
class Scene:
    """All that a frame of a clip depends on besides its time."""

    shape: HandShape
    material: Material
    lights: Lights
    background: NDArray[np.float32]
    """(HEIGHT, WIDTH, 3) linear RGB."""
    story: Motion
    webcam: Webcam
    seed: int
    duration_s: float = DURATION_S
    intrinsics: Intrinsics = INTRINSICS
    wardrobe: Wardrobe | None = None
    """What is worn besides the material's own sleeve."""


def make_scene(seed: int = 0) -> Scene:
    """The person, the light and the room of the clip; the hands are the mean ones, for which the clasp was found."""
    rng = np.random.default_rng([seed, 1])
    shape = neutral_shape()
    material = replace(
        sample_material(rng, tone=1.7),
        skin=(0.53, 0.335, 0.245),
        palm=(0.60, 0.385, 0.305),
        redness=(1.02, 0.74, 0.72),
        mottling=0.5,
        fine=0.22,
        crease=0.38,
        veins=0.4,
        roughness=0.45,
        specular=0.9,
        wrap=0.28,
        sleeve_start_mm=75.0,
        sleeve_thickness_mm=6.0,
        sleeve=(0.055, 0.075, 0.13),
        sleeve_stripe=(0.055, 0.075, 0.13),
        stripe_frequency=0.0,
        hair=0.25,
    )
    return Scene(shape, material, _room_light(), room(WIDTH, HEIGHT, seed), Story(shape, seed), Webcam(), seed)


def _room_light() -> Lights:
    """A window high on one side, a screen in front, a lamp behind, bright walls."""
    fills = np.array([[0.6, -0.3, -0.7], [-0.2, 0.1, -1.0], [0.5, -0.5, 0.7], [-0.8, -0.2, 0.3]])
    radiance = np.array([[0.09, 0.085, 0.08], [0.09, 0.10, 0.12], [0.16, 0.13, 0.10], [0.12, 0.13, 0.14]])
    key = unit(np.array([0.62, -0.60, -0.62]))
    return Lights(
        style="indoor",
        key_direction=(float(key[0]), float(key[1]), float(key[2])),
        key_radiance=(0.86, 0.84, 0.80),
        key_shadow=0.85,
        fill_directions=unit(fills),
        fill_radiance=radiance,
        sky=(0.27, 0.28, 0.30),
        ground=(0.11, 0.10, 0.09),
        up=(0.0, -1.0, 0.0),
        occlusion_radius_mm=22.0,
        occlusion_strength=1.0,
    )


def frame_times(scene: Scene) -> NDArray[np.float64]:
    """(F,) time stamps of the frames in seconds."""
    return np.arange(round(scene.duration_s * RATE_HZ)) / RATE_HZ


def render_frame(scene: Scene, renderer: Renderer, index: int) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3) uint8 RGB of one frame, the mean of its sub-frames before the webcam's sensor."""
    total = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    for k, (moment, dx, dy) in enumerate(SUB_FRAMES):
        hands, props = _dressed(scene, index / RATE_HZ + moment * SHUTTER_SHARE / RATE_HZ)
        camera = replace(scene.intrinsics, cx=scene.intrinsics.cx + dx, cy=scene.intrinsics.cy + dy)
        total += renderer.render(hands, camera, scene.lights, k / len(SUB_FRAMES), props)
    total /= len(SUB_FRAMES)
    light = total[..., :3] + scene.background * (1 - total[..., 3:])
    return scene.webcam.expose(light, np.random.default_rng([scene.seed, 2, index]))


def _dressed(scene: Scene, t_s: float) -> tuple[list[DressedHand], list[Prop]]:
    """The hands that can be seen, and what they wear."""
    hands: list[DressedHand] = []
    props: list[Prop] = []
    for state in scene.story.at(t_s):
        material = scene.material if state.side == "right" else scene.material.for_other_hand()
        mesh = state_mesh(scene, state)
        if not in_picture(mesh.vertices_mm, scene.intrinsics).any():
            continue
        hands.append(DressedHand(mesh, material))
        if scene.wardrobe is not None:
            props += Dresser(state, scene.shape, material).worn(scene.wardrobe, None)
    return hands, props


def state_mesh(scene: Scene, state: HandState) -> HandMesh:
    """The surface of one hand of the scene."""
    return state.mesh(scene.shape)


def in_picture(points_cam_mm: NDArray, intrinsics: Intrinsics) -> NDArray[np.bool_]:
    """(...) which points (..., 3) fall on a pixel."""
    px = project(points_cam_mm, intrinsics)
    inside = np.all((px > -0.5) & (px < np.array([WIDTH, HEIGHT]) - 0.5), axis=-1)
    return np.asarray(inside & (points_cam_mm[..., 2] > 0))

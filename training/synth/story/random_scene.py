"""The scene of a random sequence: whose hands, what they do, from where, in which light, before what (any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import SIDES
from training.datasets.synthetic import photographs_in
from training.synth.hand.shape import HandShape
from training.synth.person.appearance import Lights, sample_lights
from training.synth.person.people import sample_person
from training.synth.render.sensor import Webcam
from training.synth.scene.background import room
from training.synth.scene.panorama import Panorama, load_panoramas, panorama_lights
from training.synth.scene.views import sample_view
from training.synth.story.draft import on_forearm
from training.synth.story.episodes import home
from training.synth.story.random_story import NoStory, RandomStory, Stage
from training.synth.story.scene import HEIGHT, RATE_HZ, WIDTH, Scene

FIELD_OF_VIEW_DEG: Final = (52.0, 78.0)
HALF_WIDTH_MM: Final = (285.0, 400.0)
"""Half the width of what the camera sees at the hands."""
EGOCENTRIC_SHARE: Final = 0.25
_STAGE_TRIES: Final = 200
_PANORAMA_SHARE: Final = 0.4


@dataclass(frozen=True)
class Surroundings:
    """Photographs to put behind hands and panoramas to light them."""

    photographs: tuple[Path, ...] = ()
    panoramas: tuple[Panorama, ...] = ()


def load_surroundings(root: Path | None) -> Surroundings:
    """All photographs and `.hdr` panoramas below a folder, none for None; `UserError` if it holds no photograph."""
    if root is None:
        return Surroundings()
    panoramas = tuple(load_panoramas(root))
    photographs = tuple(photographs_in(root))
    if not photographs:
        raise UserError(f"{root}: no photographs there; leave --backgrounds out for drawn rooms")
    return Surroundings(photographs, panoramas)


def random_scene(seed: int, seconds: float, surroundings: Surroundings) -> Scene:
    """A sequence's scene; the same arguments give the same one."""
    rng = np.random.default_rng([seed, 3])
    person = sample_person(rng)
    stage = _stage(rng, person.shape)
    lights, background = _lights(rng, surroundings), _background(rng, seed, surroundings)
    story, stage = _story(person.shape, stage, seconds, seed)
    return Scene(
        shape=person.shape,
        material=person.material,
        lights=lights,
        background=background,
        story=story,
        webcam=_webcam(rng),
        seed=seed,
        duration_s=max(seconds, 1 / RATE_HZ),
        intrinsics=stage.intrinsics,
        wardrobe=person.wardrobe,
    )


def _story(shape: HandShape, stage: Stage, seconds: float, seed: int) -> tuple[RandomStory, Stage]:
    """A story, and the camera it is seen by: another one where from the first no episode shows well."""
    for attempt in range(_STAGE_TRIES):
        try:
            return RandomStory(shape, stage, seconds, seed), stage
        except NoStory:
            stage = _stage(np.random.default_rng([seed, 3, attempt]), shape)
    raise RuntimeError(f"no story found for {_STAGE_TRIES} cameras")


def _stage(rng: np.random.Generator, shape: HandShape) -> Stage:
    """A camera from which hands held up show well: no end of a forearm in the picture, none at the lens."""
    for _ in range(_STAGE_TRIES):
        view = sample_view(rng, "egocentric" if rng.random() < EGOCENTRIC_SHARE else "webcam")
        focal = WIDTH / 2 / np.tan(np.radians(rng.uniform(*FIELD_OF_VIEW_DEG) / 2))
        distance = rng.uniform(*HALF_WIDTH_MM) * 2 * focal / WIDTH
        hands = np.array([rng.normal(0, 25), rng.normal(0, 20), distance])
        intrinsics = Intrinsics(focal, focal, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
        stage = Stage(view.camera_from_person, hands, intrinsics, (WIDTH, HEIGHT))
        homes = [home(rng, shape, side) for side in SIDES for _ in range(3)]
        if all(stage.shows_well(stage.place(on_forearm(state)).skeleton(shape)) for state in homes):
            return stage
    raise RuntimeError(f"no camera found in {_STAGE_TRIES} attempts")


def _lights(rng: np.random.Generator, surroundings: Surroundings) -> Lights:
    if surroundings.panoramas and rng.random() < _PANORAMA_SHARE:
        return panorama_lights(rng, surroundings.panoramas[int(rng.integers(len(surroundings.panoramas)))])
    return sample_lights(rng)


def _background(rng: np.random.Generator, seed: int, surroundings: Surroundings) -> NDArray[np.float32]:
    """(HEIGHT, WIDTH, 3) linear RGB: a part of a photograph, a little out of focus, or a drawn room."""
    if not surroundings.photographs:
        return room(WIDTH, HEIGHT, seed)
    path = surroundings.photographs[int(rng.integers(len(surroundings.photographs)))]
    photo = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photo is None:
        raise UserError(f"{path}: no readable photograph; remove it from the backgrounds or fetch it again")
    scale = max(WIDTH / photo.shape[1], HEIGHT / photo.shape[0])
    size = (max(WIDTH, round(photo.shape[1] * scale)), max(HEIGHT, round(photo.shape[0] * scale)))
    large = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (int(rng.integers(0, room_ + 1)) for room_ in (size[0] - WIDTH, size[1] - HEIGHT))
    part = large[top : top + HEIGHT, left : left + WIDTH, ::-1].astype(np.float32) / 255
    return cv2.GaussianBlur(_linear(part), (0, 0), rng.uniform(0.8, 4.0)) * np.float32(rng.uniform(0.6, 1.0))


def _linear(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """SRGB values 0..1 to linear light 0..1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _webcam(rng: np.random.Generator) -> Webcam:
    return Webcam(
        exposure=float(np.exp(rng.normal(0, 0.15))),
        lens_blur_px=rng.uniform(0.3, 0.9),
        read_noise=rng.uniform(0.003, 0.014),
        shot_noise=rng.uniform(0.003, 0.010),
    )

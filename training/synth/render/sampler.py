"""The random sampler: a picture with exact joints for every (seed, index), whoever makes it and in whatever order.

A sampler belongs to the thread (and process) that made it, as its renderer does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, SIDES
from training.synth.hand.visibility import Layers, hand_shows, owner_mask, visible_joints
from training.synth.render.renderer import Renderer
from training.synth.render.sensor import srgb_from_linear
from training.synth.scene.exposure import Exposure
from training.synth.scene.panorama import Panorama, Room
from training.synth.scene.scene import Meeting, Recipe, Rejected, Scene, another_recipe, draw_recipe, draw_scene
from training.synth.scene.views import PICTURE_PX

RENDER_PX: Final = 504
"""Drawn this large and reduced, so that edges are smooth."""
LEAST_VISIBLE: Final = 0.30
"""Share of a hand's joints that must be in sight."""
MOST_ATTEMPTS: Final = 200
_ATTEMPTS_AT_MEETING: Final = 50
"""After so many vain views of the hands at hand a picture is drawn of others of the kind."""
_SPREAD: Final = ((-0.375, 0.125), (0.375, -0.125), (0.125, 0.375), (-0.125, -0.375))
"""Shifts of sub-frames in pixels."""
VERSION: Final = 5
"""Raised whenever the same (seed, index) gives another picture."""


@dataclass(frozen=True)
class Sample:
    """A cut-out picture and what is true of it; hands in the order right, left."""

    index: int
    picture: NDArray[np.uint8]
    """(`PICTURE_PX`, `PICTURE_PX`, 4) RGBA, sRGB, not premultiplied; transparent beside hands, arms
    and bodies unless a room fills it."""
    joints_cam_mm: NDArray[np.float32]
    """(42, 3) zeros for an absent hand."""
    present: NDArray[np.bool_]
    """(2,)."""
    joint_visible: NDArray[np.bool_]
    """(42,) joints that nothing but their own flesh covers."""
    mask: NDArray[np.uint8]
    """What each cell of the picture shows; see `owner_mask`."""
    intrinsics: Intrinsics
    recipe: Recipe
    style: str
    age: str
    tone: float
    gap_mm: float
    motion_px: float
    """Longest way of a joint during the exposure, in pixels of the picture; 0 for hands that are still."""
    rejected: Counter[str]
    """How many scenes were thrown away before this one, by cause."""


_Drawn = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8]]


class Sampler:
    """Makes samples; use it in a `with` block. With `modes` these take turns, otherwise all are drawn.

    So many `views` that follow each other show the same hands; the first of them is the one picture that a sampler of
    one view makes of these hands. Raises `UserError` where no OpenGL context can be made.
    """

    def __init__(
        self, seed: int, panoramas: Sequence[Panorama] = (), modes: Sequence[str] = (), views: int = 1
    ) -> None:
        self._seed = seed
        self._modes = modes
        self._views = views
        self._met: tuple[int, Recipe, Meeting] | None = None
        self._panoramas = panoramas
        self._renderer = Renderer(RENDER_PX, RENDER_PX)

    def __enter__(self) -> Sampler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._renderer.close()

    def sample(self, index: int) -> Sample:
        """The sample of an index >= 0; the same for the same seed, panoramas, modes and views."""
        number, view = divmod(index, self._views)
        if view == 0:
            return self._first(number)
        if self._met is None or self._met[0] != number:
            self._first(number)
        assert self._met is not None
        _, recipe, meeting = self._met
        rng = np.random.default_rng([self._seed, number, view])
        return self._drawn(rng, another_recipe(rng, recipe), index, meeting)[0]

    def _first(self, number: int) -> Sample:
        """The first picture of a number; its hands are kept for the others."""
        rng = np.random.default_rng([self._seed, number])
        recipe = draw_recipe(rng, self._modes[number % len(self._modes)] if self._modes else "")
        sample, meeting = self._drawn(rng, recipe, number * self._views, None)
        self._met = number, recipe, meeting
        return sample

    def _drawn(
        self, rng: np.random.Generator, recipe: Recipe, index: int, meeting: Meeting | None
    ) -> tuple[Sample, Meeting]:
        rejected: Counter[str] = Counter()
        for attempt in range(MOST_ATTEMPTS):
            try:
                scene = draw_scene(rng, recipe, self._panoramas, meeting if attempt < _ATTEMPTS_AT_MEETING else None)
                return self._pictured(scene, index, rejected), scene.meeting
            except Rejected as cause:
                rejected[str(cause)] += 1
        raise RuntimeError(f"sample {index} of seed {self._seed}: no scene in {MOST_ATTEMPTS} attempts: {rejected}")

    def _pictured(self, scene: Scene, index: int, rejected: Counter[str]) -> Sample:
        linear, visible, mask = self._still(scene) if scene.exposure is None else self._moving(scene, scene.exposure)
        if not np.isfinite(linear).all():
            raise Rejected("not finite")
        return Sample(
            index=index,
            picture=_cut_out(linear if scene.room is None else _in_room(linear, scene.intrinsics, scene.room)),
            joints_cam_mm=scene.joints_cam_mm.astype(np.float32),
            present=scene.present,
            joint_visible=visible,
            mask=mask,
            intrinsics=scene.intrinsics,
            recipe=scene.recipe,
            style=scene.lights.style,
            age=scene.person.age,
            tone=scene.person.tone,
            gap_mm=scene.gap_mm,
            motion_px=0.0 if scene.exposure is None else scene.exposure.path_px,
            rejected=rejected,
        )

    def _still(self, scene: Scene) -> _Drawn:
        """The picture, linear and larger than it is stored, (42,) which joints are visible, and the owners' mask."""
        camera = enlarged(scene.intrinsics, RENDER_PX / PICTURE_PX)
        hands, props = scene.during(0.0)
        self._renderer.lay(hands, camera, props)
        seen = self._seen(scene, camera)
        return self._renderer.shade(scene.lights), *seen

    def _moving(self, scene: Scene, exposure: Exposure) -> _Drawn:
        """As `_still`, the mean of sub-frames of the stored size; what is visible is that of the middle one."""
        shares = exposure.shares()
        total = np.zeros((PICTURE_PX, PICTURE_PX, 4), np.float32)
        visible, mask = np.zeros(42, bool), np.zeros((0, 0), np.uint8)
        for number, share in enumerate(shares):
            hands, props = scene.during(float(share))
            # sub-frames lie a part of a pixel apart, so that edges of what is still are smooth too
            dx, dy = _SPREAD[number % len(_SPREAD)] if number else (0.0, 0.0)
            camera = replace(scene.intrinsics, cx=scene.intrinsics.cx + dx, cy=scene.intrinsics.cy + dy)
            self._renderer.lay(hands, camera, props, (PICTURE_PX, PICTURE_PX))
            if number == 0:
                visible, mask = self._seen(scene, camera)
            total += self._renderer.shade(scene.lights, number / len(shares))
        return total / len(shares), visible, mask

    def _seen(self, scene: Scene, camera: Intrinsics) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
        """(42,) visible joints and mask of what was laid last; raises `Rejected` where a hand shows too few joints."""
        layers = self._renderer.layers()
        visible = _visible(layers, scene, camera)
        for side, there in zip(SIDES, scene.present, strict=True):
            if there and not hand_shows(visible[HAND_SLICES[side]], LEAST_VISIBLE):
                raise Rejected("hidden hand")
        return visible, owner_mask(layers)


def enlarged(intrinsics: Intrinsics, factor: float) -> Intrinsics:
    """The camera of the same picture with `factor` times as many pixels along each side."""
    return replace(
        intrinsics,
        fx=intrinsics.fx * factor,
        fy=intrinsics.fy * factor,
        cx=(intrinsics.cx + 0.5) * factor - 0.5,
        cy=(intrinsics.cy + 0.5) * factor - 0.5,
    )


def _visible(layers: Layers, scene: Scene, camera: Intrinsics) -> NDArray[np.bool_]:
    visible = np.zeros(42, bool)
    girth = float(scene.person.shape.finger_girth.mean())
    for hand in scene.hands:
        part = HAND_SLICES[hand.mesh.side]
        visible[part] = visible_joints(layers, scene.joints_cam_mm[part], hand.mesh.side, camera, girth)
    return visible


def _in_room(linear: NDArray[np.float32], intrinsics: Intrinsics, room: Room) -> NDArray[np.float32]:
    """A linear picture of any size, opaque, before what the camera sees of a room."""
    size = len(linear)
    behind = room.view(enlarged(intrinsics, size / PICTURE_PX), size)
    alpha = linear[..., 3:]
    return np.concatenate([linear[..., :3] + behind * (1 - alpha), np.ones_like(alpha)], axis=-1)


def _cut_out(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Reduced to the stored size, sRGB, colours of half-covered pixels as they are without the background."""
    small = cv2.resize(linear, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
    alpha = small[..., 3:]
    colour = srgb_from_linear(small[..., :3] / np.maximum(alpha, 1e-6)) * (alpha > 0)
    return np.rint(np.concatenate([colour, alpha], axis=-1) * 255).astype(np.uint8)

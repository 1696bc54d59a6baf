"""A two-hand sequence of the generator, seen by all cameras of a rig at once (one thread, which owns the renderer)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from training.annotation.cameras.camera import Camera
from training.annotation.recordings.recording import Recording
from training.annotation.recordings.video_out import VideoOut
from training.annotation.rigs.layout import Layout, make_rig
from training.annotation.rigs.rendering_truth import exact_hands
from training.annotation.triangulation.hands import save_hands
from training.annotation.workplace import TRUTH
from training.synth.person.appearance import DressedHand, Lights, Prop, unit
from training.synth.person.worn import Dresser
from training.synth.render.renderer import Renderer
from training.synth.scene.background import room
from training.synth.story.random_scene import load_surroundings, random_scene
from training.synth.story.scene import SUB_FRAMES, Scene, make_scene

MIDDLE_MM: Final = np.array([0.0, 20.0, 540.0])
"""Between two hands that are held up, in the frame of the generator's stories."""
SHUTTER_S: Final = 0.012


@dataclass(frozen=True)
class RigPlan:
    """What is rendered."""

    layout: Layout
    views: int
    moments: int
    fps: float
    seed: int
    size_px: tuple[int, int]
    backgrounds: Path | None
    """Panoramas that light and photographs; None draws rooms."""
    sample: bool
    """The story of the sample clip instead of a random one."""
    start_s: float


def render_rig(folder: Path, plan: RigPlan, say: Callable[[str], None] = print) -> Recording:
    """Render the recording and its truth; raises UserError where there is no OpenGL or the folder cannot be written."""
    seconds = plan.start_s + plan.moments / plan.fps + 0.1
    surroundings = load_surroundings(plan.backgrounds)
    scene = make_scene(plan.seed) if plan.sample else random_scene(plan.seed, seconds, surroundings)
    t_s = plan.start_s + np.arange(plan.moments) / plan.fps
    joints = np.stack([joints_at(scene, float(t)) for t in t_s])
    rig = make_rig(plan.layout, plan.views, plan.size_px, np.median(joints, axis=(0, 1)), plan.seed)
    videos = tuple(folder / f"{camera.name}.mp4" for camera in rig)
    for k, (camera, path) in enumerate(zip(rig, videos, strict=True)):
        _render_view(scene, camera, k, t_s, path, plan)
        say(f"rendered    {camera.name}: {plan.moments} pictures")
    frames = np.repeat(np.arange(plan.moments)[:, None], plan.views, axis=1)
    recording = Recording(folder, rig, videos, frames, t_s - t_s[0])
    recording.save()
    save_hands(folder / TRUTH, exact_hands(rig, joints, t_s - t_s[0]))
    return recording


def joints_at(scene: Scene, t_s: float) -> NDArray[np.float64]:
    """(42, 3) mm in the story's frame, which is the rig's world."""
    right, left = (state.skeleton(scene.shape).joints_mm for state in scene.story.at(t_s))
    return np.vstack([right, left]).astype(np.float64)


def _render_view(scene: Scene, camera: Camera, view: int, t_s: NDArray, path: Path, plan: RigPlan) -> None:
    width, height = plan.size_px
    behind = room(width, height, plan.seed * 101 + view)
    lights = turned_lights(scene.lights, camera.camera_from_world)
    try:
        renderer = Renderer(width, height)
    except ImportError as error:
        raise UserError("drawing hands needs moderngl: make setup EXTRAS=synth") from error
    with ExitStack() as stack:
        stack.enter_context(renderer)
        video = stack.enter_context(VideoOut(path, plan.size_px, plan.fps))
        for moment, t in enumerate(t_s):
            rng = np.random.default_rng([plan.seed, 13, view, moment])
            picture = _picture(scene, camera, lights, behind, renderer, float(t), rng)
            video.write(picture[..., ::-1])


def _picture(
    scene: Scene,
    camera: Camera,
    lights: Lights,
    behind: NDArray[np.float32],
    renderer: Renderer,
    t_s: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """(H, W, 3) RGB as this camera's sensor gives it."""
    total = np.zeros((*behind.shape[:2], 4), np.float32)
    for k, (moment, dx, dy) in enumerate(SUB_FRAMES):
        hands, props = _dressed(scene, camera, t_s + moment * SHUTTER_S)
        intrinsics = replace(camera.intrinsics, cx=camera.intrinsics.cx + dx, cy=camera.intrinsics.cy + dy)
        total += renderer.render(hands, intrinsics, lights, k / len(SUB_FRAMES), props)
    total /= len(SUB_FRAMES)
    return scene.webcam.expose(total[..., :3] + behind * (1 - total[..., 3:]), rng)


def _dressed(scene: Scene, camera: Camera, t_s: float) -> tuple[list[DressedHand], list[Prop]]:
    """Hands and what they wear, in the camera's frame."""
    hands: list[DressedHand] = []
    props: list[Prop] = []
    for state in scene.story.at(t_s):
        seen = state.turned(camera.camera_from_world, camera.translation_mm)
        material = scene.material if state.side == "right" else scene.material.for_other_hand()
        hands.append(DressedHand(seen.mesh(scene.shape), material))
        if scene.wardrobe is not None:
            props += Dresser(seen, scene.shape, material).worn(scene.wardrobe, None)
    return hands, props


def turned_lights(lights: Lights, camera_from_world: NDArray) -> Lights:
    """The world's light as a turned camera sees it."""

    def vector(values: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = (float(v) for v in camera_from_world @ np.asarray(values, np.float64))
        return x, y, z

    return replace(
        lights,
        key_direction=vector(lights.key_direction),
        fill_directions=unit(np.asarray(lights.fill_directions) @ camera_from_world.T),
        up=vector(lights.up),
    )

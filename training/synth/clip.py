"""Renders the sample clip and its ground truth: `python -m training.synth.clip --output samples/two_hands.mp4`.

The ground truth lies beside the clip as .npz (readable with `allow_pickle=False`); see `GroundTruth`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES
from training.synth.appearance import Lights, Material, sample_material, unit
from training.synth.background import room
from training.synth.contact import gap_mm
from training.synth.hand_model import HandMesh, hand_mesh
from training.synth.renderer import DressedHand, Renderer
from training.synth.sensor import Webcam
from training.synth.shape import HandShape, calibrated_rest, neutral_shape
from training.synth.story import DURATION_S, HandState, Story

WIDTH, HEIGHT, RATE_HZ = 640, 480, 30
FIELD_OF_VIEW_DEG: Final = 60.0
FOCAL_PX: Final = WIDTH / 2 / float(np.tan(np.radians(FIELD_OF_VIEW_DEG / 2)))
INTRINSICS: Final = Intrinsics(FOCAL_PX, FOCAL_PX, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
INTERACTING_MM: Final = 20.0
"""Hands whose smallest gap is below this count as interacting."""
SHUTTER_SHARE: Final = 0.45
"""Share of the frame time during which the shutter is open."""
SUB_FRAMES: Final = ((-0.375, 0.125, -0.375), (-0.125, -0.375, -0.125), (0.125, 0.375, 0.125), (0.375, -0.125, 0.375))
"""Moment within the exposure (of its length) and shift of the principal point in px: motion blur and smooth edges."""


@dataclass(frozen=True)
class Scene:
    """All that a frame of the clip depends on besides its time."""

    shape: HandShape
    material: Material
    lights: Lights
    background: NDArray[np.float32]
    """(HEIGHT, WIDTH, 3) linear RGB."""
    story: Story
    webcam: Webcam
    seed: int


@dataclass(frozen=True)
class GroundTruth:
    """What is true in each of the F frames, at the middle of its exposure; hands in the order right, left."""

    joints_cam_mm: NDArray[np.float32]
    """(F, 42, 3) camera frame, also for hands outside the picture."""
    joints_px: NDArray[np.float32]
    """(F, 42, 2)."""
    hand_present: NDArray[np.bool_]
    """(F, 2) some of the hand (not the forearm) lies in the picture."""
    fully_in_view: NDArray[np.bool_]
    """(F, 2) all 21 joints lie in the picture."""
    interacting: NDArray[np.bool_]
    """(F,) both hands are present and less than `INTERACTING_MM` apart."""
    t_s: NDArray[np.float64]
    """(F,)."""
    intrinsics_px: NDArray[np.float64]
    """(4,) fx, fy, cx, cy."""
    size_px: NDArray[np.int64]
    """(2,) width, height."""


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


def frame_times() -> NDArray[np.float64]:
    """(F,) time stamps of the frames in seconds."""
    return np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ


def render_frame(scene: Scene, renderer: Renderer, index: int) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3) uint8 RGB of one frame, the mean of its sub-frames before the webcam's sensor."""
    total = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    for k, (moment, dx, dy) in enumerate(SUB_FRAMES):
        hands = _dressed(scene, index / RATE_HZ + moment * SHUTTER_SHARE / RATE_HZ)
        camera = replace(INTRINSICS, cx=INTRINSICS.cx + dx, cy=INTRINSICS.cy + dy)
        total += renderer.render(hands, camera, scene.lights, k / len(SUB_FRAMES))
    total /= len(SUB_FRAMES)
    light = total[..., :3] + scene.background * (1 - total[..., 3:])
    return scene.webcam.expose(light, np.random.default_rng([scene.seed, 2, index]))


def _dressed(scene: Scene, t_s: float) -> list[DressedHand]:
    meshes = [_mesh(scene, state) for state in scene.story.at(t_s)]
    return [
        DressedHand(mesh, scene.material if mesh.side == "right" else scene.material.for_other_hand())
        for mesh in meshes
        if _in_picture(mesh.vertices_mm).any()
    ]


def _mesh(scene: Scene, state: HandState) -> HandMesh:
    return hand_mesh(scene.shape, state.angles, state.placement, state.side)


def _in_picture(points_cam_mm: NDArray) -> NDArray[np.bool_]:
    """(...) which points (..., 3) fall on a pixel."""
    px = project(points_cam_mm, INTRINSICS)
    return np.all((px > -0.5) & (px < np.array([WIDTH, HEIGHT]) - 0.5), axis=-1)


def ground_truth(scene: Scene) -> GroundTruth:
    """The joints of every frame and what can be seen of them."""
    times = frame_times()
    hand_part = calibrated_rest()[0][:, 1] > 0
    joints = np.zeros((len(times), 42, 3))
    present = np.zeros((len(times), 2), bool)
    near = np.zeros(len(times), bool)
    for frame, t in enumerate(times):
        states = scene.story.at(float(t))
        skeletons = [state.skeleton(scene.shape) for state in states]
        near[frame] = gap_mm(*skeletons, forearm=False) < INTERACTING_MM
        for which, (state, skeleton) in enumerate(zip(states, skeletons, strict=True)):
            joints[frame, HAND_SLICES[state.side]] = skeleton.joints_mm
            present[frame, which] = _in_picture(_mesh(scene, state).vertices_mm[hand_part]).any()
    joints = joints.astype(np.float32)
    inside = _in_picture(joints)
    return GroundTruth(
        joints_cam_mm=joints,
        joints_px=project(joints, INTRINSICS).astype(np.float32),
        hand_present=present,
        fully_in_view=np.stack([inside[:, HAND_SLICES[side]].all(axis=1) for side in SIDES], axis=1),
        interacting=near & present.all(axis=1),
        t_s=times,
        intrinsics_px=INTRINSICS.as_array(),
        size_px=np.array([WIDTH, HEIGHT]),
    )


def frames(scene: Scene) -> Iterator[NDArray[np.uint8]]:
    """All frames of the clip, RGB, in order."""
    with Renderer(WIDTH, HEIGHT) as renderer:
        for index in range(len(frame_times())):
            yield render_frame(scene, renderer, index)


def write_video(path: Path, pictures: Iterator[NDArray[np.uint8]]) -> int:
    """Encode RGB frames as H.264 and return their number; `UserError` if the file cannot be written."""
    count = 0
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=RATE_HZ, options={"crf": "18", "preset": "slow"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.time_base = Fraction(1, RATE_HZ)
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = count, Fraction(1, RATE_HZ)
                container.mux(stream.encode(frame))
                count += 1
                print(f"\rrendering frame {count} of {len(frame_times())}", end="", flush=True)
            container.mux(stream.encode())
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): choose another --output") from error
    print()
    return count


def main() -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=Path("samples/two_hands.mp4"), help="the .mp4 to write")
    parser.add_argument("--seed", type=int, default=0, help="another skin, room and sway")
    arguments = parser.parse_args()
    try:
        scene = make_scene(arguments.seed)
        write_video(arguments.output, frames(scene))
        np.savez_compressed(arguments.output.with_suffix(".npz"), **vars(ground_truth(scene)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

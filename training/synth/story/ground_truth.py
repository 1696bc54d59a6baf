"""What is true in each frame of a clip (numpy only; any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import project
from engines.skeleton import HAND_SLICES, SIDES
from training.synth.hand.contact import gap_mm
from training.synth.hand.shape import calibrated_rest
from training.synth.story.scene import HEIGHT, WIDTH, Scene, frame_times, in_picture, state_mesh

INTERACTING_MM: Final = 20.0
"""Hands whose smallest gap is below this count as interacting."""


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


def ground_truth(scene: Scene) -> GroundTruth:
    """The joints of every frame and what can be seen of them."""
    times = frame_times(scene)
    hand_part = calibrated_rest()[0][:, 1] > 0
    joints = np.zeros((len(times), 42, 3), np.float32)
    present = np.zeros((len(times), 2), bool)
    near = np.zeros(len(times), bool)
    for frame, t in enumerate(times):
        states = scene.story.at(float(t))
        right, left = (state.skeleton(scene.shape) for state in states)
        near[frame] = gap_mm(right, left, forearm=False) < INTERACTING_MM
        joints[frame] = np.vstack([right.joints_mm, left.joints_mm])
        for which, state in enumerate(states):
            present[frame, which] = in_picture(state_mesh(scene, state).vertices_mm[hand_part], scene.intrinsics).any()
    inside = in_picture(joints, scene.intrinsics)
    return GroundTruth(
        joints_cam_mm=joints,
        joints_px=project(joints, scene.intrinsics).astype(np.float32),
        hand_present=present,
        fully_in_view=np.stack([inside[:, HAND_SLICES[side]].all(axis=1) for side in SIDES], axis=1),
        interacting=near & present.all(axis=1),
        t_s=times,
        intrinsics_px=scene.intrinsics.as_array(),
        size_px=np.array([WIDTH, HEIGHT]),
    )

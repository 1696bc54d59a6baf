"""What rotations cost: `python -m benchmarks.rotations`.

Two hands' rotations, what else is worked out from them, and, to compare machines and loads, a step of the smoother and
a product of two matrices. Medians of the same run. How far they turn from frame to frame: `benchmarks.rotation_steps`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import SIDES
from engines.terminal import command
from realtime.camera_space.smoothing import HandSmoother
from realtime.layers import load_settings
from realtime.messages import HandPose
from realtime.rotations.hand_turner import HandTurner
from realtime.rotations.joint_angles import joint_angles_deg
from realtime.rotations.openxr import openxr_hands
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import GESTURES
from training.synth.hand.shape import neutral_shape

_TIMES = 400
_CAMERA = Intrinsics(554.0, 554.0, 319.5, 239.5)


def two_hands() -> tuple[HandPose, ...]:
    """Both hands of the generator, relaxed."""
    poses = []
    for side in SIDES:
        state = HandState(side, GESTURES["relaxed"], Placement(np.array([0.0, 0.0, 500.0]), np.eye(3)))
        joints = state.skeleton(neutral_shape()).joints_mm.astype(np.float32)
        pixels = project(joints, _CAMERA).astype(np.float32)
        poses.append(HandPose(side, joints, pixels, np.full(21, 0.95, np.float32), 1.0, "rootnet"))
    return tuple(poses)


def median_ms(work: Callable[[], object]) -> float:
    """Of many runs, one after the other."""
    taken = []
    for _ in range(_TIMES):
        start_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start_s)
    return 1e3 * float(np.median(taken))


@command
def main(_argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    hands, turner, smoother = two_hands(), HandTurner(), HandSmoother(load_settings().smoothing)
    turned = turner(hands, 0.0)
    square = np.random.default_rng(0).random((200, 200))
    moments = iter(range(10**9))
    rows = {
        "rotations of two hands": lambda: turner(hands, next(moments) / 30),
        "their angles": lambda: [joint_angles_deg(hand.joint_rotations, hand.side) for hand in turned],
        "their OpenXR joints": lambda: [openxr_hands(h.joints_cam_mm, h.joint_rotations, h.confidence) for h in turned],
        "smoothing two hands": lambda: smoother(hands, next(moments) / 30, _CAMERA),
        "200 x 200 matrix product": lambda: square @ square,
    }
    found = {name: median_ms(work) for name, work in rows.items()}
    for name, ms in found.items():
        print(f"{name:26} {ms:7.3f} ms   {ms / found['smoothing two hands']:5.2f} of smoothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Exact rotations of the generated hand, axes as the program states them: what its own are held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import WRIST
from training.synth.hand.asset import finger_joint, phalanx_bone
from training.synth.hand.model import HandState, articulate, rest_geometry
from training.synth.hand.shape import HandShape

ASSET_FROM_OURS = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])
"""The asset's axes are radial, distal, palmar; ours are ulnar, dorsal, proximal."""
_MIRROR = np.diag([-1.0, 1.0, 1.0])


def true_rotations(state: HandState, shape: HandShape) -> NDArray[np.float64]:
    """(21, 3, 3) camera_from_joint: z from each bone, x from the axis about which the model flexes it."""
    turns, _ = articulate(shape, state.angles)
    frames = np.empty((21, 3, 3))
    frames[WRIST] = ASSET_FROM_OURS
    for finger, (axes, _) in enumerate(rest_geometry(shape)):
        for k in range(3):
            bone = shape.joints_mm[finger_joint(finger, k + 1)] - shape.joints_mm[finger_joint(finger, k)]
            turn = turns[phalanx_bone(finger, k), :, :3]
            z, x = -turn @ bone / np.linalg.norm(bone), -turn @ axes[k]
            frames[finger_joint(finger, k)] = np.stack([x, np.cross(z, x), z], axis=-1)
        frames[finger_joint(finger, 3)] = frames[finger_joint(finger, 2)]
    if state.side == "left":
        frames = _MIRROR @ frames @ _MIRROR
    return np.asarray(state.placement.camera_from_hand @ frames, np.float64)

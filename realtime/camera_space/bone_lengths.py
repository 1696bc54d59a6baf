"""Depths of a hand's joints that agree with bones of constant length (numpy only; any thread).

A joint lies somewhere on the ray through its pixel. What is known of its depth: the network's relative depth, the
wrist's absolute one, and that each bone is as long as it always is. The most likely depths under all three are found
frame by frame with Gauss-Newton; a bone that disagrees strongly is believed less (Huber). A hand that seems too large
for its distance thereby moves, and a finger that was seen too flat bends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, backproject
from engines.skeleton import BONE_CHILD, BONE_PARENT, BONES, JOINTS_PER_HAND, WRIST
from realtime.camera_space.closed_form import NEAREST_MM
from realtime.messages import HandPose

_LENGTH_SIGMA_MM: Final = 6.0
_RELATIVE_SIGMA_MM: Final = 12.0
_WRIST_SIGMA_MM: Final = 12.0
"""Errors of the three sources: bones from the clip, network's relative depth, and RootNet's depth after smoothing."""
_HUBER: Final = 2.0
_ITERATIONS: Final = 6
_BLOCK: Final = 2048
"""Frames solved at once: bounds the memory of long recordings."""
USUAL_LENGTHS_MM: Final = np.array(
    [
        *(28.0, 31.0, 37.0, 38.0),
        *(22.0, 25.0, 41.0, 86.0),
        *(22.0, 29.0, 43.0, 84.0),
        *(22.0, 27.0, 39.0, 80.0),
        *(19.0, 20.0, 30.0, 77.0),
    ]
)
"""(20,) in the order of `engines.skeleton.BONES`: means of six adults (InterHand2.6M)."""
_MIDDLE: Final = np.isin(BONE_CHILD, (8, 9, 10, 11))
"""(20,) the four bones from the wrist to the middle fingertip."""

Floats = NDArray[np.float64]


def bone_lengths(joints_mm: NDArray) -> Floats:
    """(..., 21, 3) mm -> (..., 20) lengths in the order of `engines.skeleton.BONES`."""
    return np.linalg.norm(joints_mm[..., BONE_CHILD, :] - joints_mm[..., BONE_PARENT, :], axis=-1)


def typical_lengths(joints_mm: NDArray) -> Floats:
    """(20,) medians over frames (F, 21, 3), F at least 1."""
    return np.asarray(np.median(bone_lengths(joints_mm), axis=0), np.float64)


def hand_length(lengths_mm: Floats) -> float:
    """From the wrist to the middle fingertip along the bones (20,)."""
    return float(lengths_mm[_MIDDLE].sum())


def usual_lengths(hand_length_mm: float) -> Floats:
    """(20,) bones of a usual hand that is so long from wrist to middle fingertip."""
    return USUAL_LENGTHS_MM * (hand_length_mm / hand_length(USUAL_LENGTHS_MM))


def with_lengths(hands: Sequence[HandPose], lengths_mm: Floats, intrinsics: Intrinsics) -> tuple[HandPose, ...]:
    """The hands of one frame, their joints moved along their rays until the bones agree as `keep_lengths` says."""
    if not hands:
        return ()
    joints_px = np.stack([hand.joints_px for hand in hands]).astype(np.float64)
    depth_mm = np.stack([hand.joints_cam_mm[:, 2] for hand in hands]).astype(np.float64)
    moved = backproject(joints_px, keep_lengths(joints_px, depth_mm, lengths_mm, intrinsics), intrinsics)
    return tuple(replace(hand, joints_cam_mm=mm) for hand, mm in zip(hands, moved.astype(np.float32), strict=True))


def keep_lengths(joints_px: Floats, depth_mm: Floats, lengths_mm: Floats, intrinsics: Intrinsics) -> Floats:
    """Joints (F, 21, 2) px with depths (F, 21) mm as measured, bones (20,) mm -> the most likely depths (F, 21)."""
    rays = backproject(joints_px, np.ones(joints_px.shape[:-1]), intrinsics)
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(rays), _BLOCK)]
    return np.concatenate([_solve(rays[block], depth_mm[block], lengths_mm) for block in blocks])


def _solve(rays: Floats, measured_mm: Floats, lengths_mm: Floats) -> Floats:
    """Gauss-Newton on depths (F, 21) along rays (F, 21, 3) with z = 1."""
    prior = _prior()
    depth = measured_mm.copy()
    for _ in range(_ITERATIONS):
        normal, gradient = _bones(rays, depth, lengths_mm)
        gradient += (depth - measured_mm) @ prior
        step = np.linalg.solve(normal + prior, gradient[..., None])[..., 0]
        depth = np.maximum(depth - step, NEAREST_MM)
    return depth


def _prior() -> Floats:
    """(21, 21) information on the depths: each relative to the wrist, and the wrist itself."""
    to_wrist = np.eye(JOINTS_PER_HAND)[:WRIST]
    to_wrist[:, WRIST] = -1.0
    information = to_wrist.T @ to_wrist / _RELATIVE_SIGMA_MM**2
    information[WRIST, WRIST] += 1.0 / _WRIST_SIGMA_MM**2
    return information


def _bones(rays: Floats, depth: Floats, lengths_mm: Floats) -> tuple[Floats, Floats]:
    """Normal matrix (F, 21, 21) and gradient (F, 21) of the squared, robust errors of the bones' lengths."""
    joints = depth[..., None] * rays
    bones = joints[:, BONE_CHILD] - joints[:, BONE_PARENT]
    found = np.maximum(np.linalg.norm(bones, axis=-1), 1e-6)
    error = (found - lengths_mm) / _LENGTH_SIGMA_MM
    trust = np.minimum(1.0, _HUBER / np.maximum(np.abs(error), 1e-9))
    along = bones / (found[..., None] * _LENGTH_SIGMA_MM)
    slopes = np.zeros((*error.shape, JOINTS_PER_HAND))  # (F, 20, 21) of each bone's error by each depth
    bone = np.arange(len(BONES))
    slopes[:, bone, BONE_CHILD] = (along * rays[:, BONE_CHILD]).sum(axis=-1)
    slopes[:, bone, BONE_PARENT] -= (along * rays[:, BONE_PARENT]).sum(axis=-1)
    weighted = slopes * trust[..., None]
    return weighted.swapaxes(1, 2) @ slopes, (weighted * error[..., None]).sum(axis=1)

"""A track's rotations as a skeleton with a rest pose: what animation formats want (numpy, SciPy; any thread).

Right-handed, y up, z towards the viewer: the camera frame turned half round its x axis. In the rest pose the hand lies
flat, fingers straight and up, the palm towards the viewer: all flexions and abductions 0. Bones have the recording's
median lengths, the palm its median shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import BONES, FINGER_BASES, HAND_SLICES, JOINTS_PER_HAND, PARENTS, WRIST, WRIST_FIRST, Side
from realtime.camera_space.bone_lengths import USUAL_LENGTHS_MM, bone_lengths
from realtime.rotations.openxr import UP_FROM_CAMERA
from realtime.rotations.quaternions import matrices, unit
from realtime.rotations.rest_hand import PALM, mirrored_for, rest_frames
from realtime.tracks.schema import Tracks

CHILD: Final = {parent: child for child, parent in BONES if parent != WRIST}
"""The one joint behind each finger joint; the wrist has five."""
_UPRIGHT: Final = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])
"""The wrist's frame in the rest pose: fingers up, the back away from the viewer."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HandMotion:
    """One hand's skeleton and its motion; F frames."""

    side: Side
    rest_mm: Floats
    """(21, 3) offset of each joint from its parent in the rest pose; the wrist's is zero."""
    wrist_mm: Floats
    """(F, 3) y up."""
    rotations: Rotation
    """F * 21 local rotations, frame by frame, joints in order; the tips' are none."""
    joints_mm: Floats
    """(F, 21, 3) joints as tracked, y up; a hand that is away stays where it was last (first) seen."""
    there: NDArray[np.bool_]
    """(F,)."""


def hand_motion(tracks: Tracks, side: Side) -> HandMotion:
    """One hand's motion, from its joints and their rotations."""
    rows = HAND_SLICES[side]
    joints = tracks.joints_cam_mm[:, rows].astype(np.float64) * UP_FROM_CAMERA
    frames = UP_FROM_CAMERA[:, None] * matrices(tracks.joint_rotations[:, rows])  # (F, 21, 3, 3)
    there = np.isfinite(joints).all(axis=(1, 2)) & np.isfinite(frames).all(axis=(1, 2, 3))
    resting = _UPRIGHT @ rest_frames(side)
    rest = _rest_offsets(joints[there], frames[there], side)
    if not there.any():
        joints, frames = np.tile(posed(rest), (len(there), 1, 1)), np.tile(resting, (len(there), 1, 1, 1))
    else:
        when = _last_seen(there)
        joints, frames = joints[when], frames[when]
    world = frames @ resting.swapaxes(-1, -2)
    local = world.copy()
    for joint in range(WRIST):
        local[:, joint] = world[:, PARENTS[joint]].swapaxes(-1, -2) @ world[:, joint]
    return HandMotion(side, rest, joints[:, WRIST], Rotation.from_matrix(local.reshape(-1, 3, 3)), joints, there)


def _rest_offsets(joints_mm: Floats, frames: Floats, side: Side) -> Floats:
    """(21, 3) offsets of the rest pose as frames (F, 21, 3), with their rotations, show it; F may be 0."""
    lengths = np.append(USUAL_LENGTHS_MM, 0.0)  # joint by joint, the wrist last
    palm = mirrored_for(side, PALM[1:])
    if len(joints_mm):
        lengths[[child for child, _ in BONES]] = np.median(bone_lengths(joints_mm), axis=0)
        bones = unit(joints_mm[:, list(FINGER_BASES)] - joints_mm[:, [WRIST]])
        palm = np.median(bones @ frames[:, WRIST], axis=0)
    directions = np.zeros((JOINTS_PER_HAND, 3))
    for joint, parent in BONES:
        directions[joint] = -rest_frames(side)[parent, :, 2]
    directions[list(FINGER_BASES)] = unit(palm)
    return directions @ _UPRIGHT.T * lengths[:, None]


def local_places(motion: HandMotion) -> Floats:
    """(F, 21, 3) mm of each tracked joint in its parent's turned frame (the wrist's in space): true bone lengths."""
    local = motion.rotations.as_matrix().reshape(-1, JOINTS_PER_HAND, 3, 3)
    world, places = local.copy(), motion.joints_mm.copy()
    for joint in WRIST_FIRST[1:]:
        parent = PARENTS[joint]
        world[:, joint] = world[:, parent] @ local[:, joint]
        bone = motion.joints_mm[:, joint] - motion.joints_mm[:, parent]
        places[:, joint] = (bone[:, None] @ world[:, parent])[:, 0]
    return places


def posed(rest_mm: Floats) -> Floats:
    """(21, 3) joints of the rest pose, the wrist at the origin."""
    joints = np.zeros((JOINTS_PER_HAND, 3))
    for joint in WRIST_FIRST[1:]:
        joints[joint] = joints[PARENTS[joint]] + rest_mm[joint]
    return joints


def _last_seen(there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """No format knows an absent hand: (F,) it stays where it was, before its first frame where it will be."""
    last = np.maximum.accumulate(np.where(there, np.arange(len(there)), -1))
    return np.where(last < 0, np.argmax(there), last)

"""Joints as a skeleton of rotations with a rest pose: what animation formats want (numpy, SciPy; any thread).

Right-handed, y up, z towards the viewer: the camera frame turned half round its x axis. In the rest pose the hand lies
flat, fingers straight and up, the palm towards the viewer. Bones have the recording's median lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import BONES, FINGER_BASES, FINGERS, JOINTS_PER_HAND, PARENTS, WRIST, Side
from realtime.camera_space.bone_lengths import bone_lengths

UP_FROM_CAMERA: Final = np.array([1.0, -1.0, -1.0])
"""Factors that turn the camera frame (y down, z forward) into y up, z back."""
CHILD: Final = {parent: child for child, parent in BONES if parent != WRIST}
"""The one joint behind each finger joint; the wrist has five."""
FROM_WRIST: Final = (WRIST, *(base - k for base in FINGER_BASES for k in range(4)))
"""The 21 joints, parents before children."""
_FAN_DEG: Final = (45.0, 14.0, 2.0, -10.0, -22.0)
"""Directions of the rest pose's palm bones, thumb to little finger, from straight up towards the thumb's side."""
_PALM_ROUNDS: Final = 4
_LENGTHS_MM: Final = ((38, 37, 31, 28), (86, 41, 25, 22), (84, 43, 29, 22), (80, 39, 27, 22), (77, 30, 20, 19))
"""Of a hand that is never seen: palm bone to last phalanx, means of six adults (InterHand2.6M)."""

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


def hand_motion(joints_cam_mm: NDArray, side: Side) -> HandMotion:
    """Solve a hand's tracks (F, 21, 3) mm, NaN where it is away, for rotations."""
    there = np.isfinite(joints_cam_mm[:, WRIST, 0])
    rest = rest_offsets(joints_cam_mm[there], side)
    joints = _held(joints_cam_mm.astype(np.float64) * UP_FROM_CAMERA, there, rest)
    world = _world_rotations(joints, rest)
    local = world.copy()
    for joint in range(JOINTS_PER_HAND):
        if joint != WRIST:
            local[:, joint] = world[:, PARENTS[joint]].swapaxes(-1, -2) @ world[:, joint]
    return HandMotion(side, rest, joints[:, WRIST], Rotation.from_matrix(local.reshape(-1, 3, 3)), joints, there)


def rest_offsets(joints_mm: NDArray, side: Side) -> Floats:
    """(21, 3) offsets of the rest pose with the median lengths of frames (F, 21, 3); F may be 0."""
    lengths = np.zeros(JOINTS_PER_HAND)
    for finger in range(len(FINGERS)):
        lengths[[FINGER_BASES[finger] - k for k in range(4)]] = _LENGTHS_MM[finger]
    if len(joints_mm):
        lengths[[child for child, _ in BONES]] = np.median(bone_lengths(joints_mm), axis=0)
    thumb_side = 1.0 if side == "right" else -1.0
    fan = np.radians(_FAN_DEG)
    directions = np.stack([thumb_side * np.sin(fan), np.cos(fan), np.zeros(5)], axis=1)
    directions = _palm(joints_mm, directions)
    return np.concatenate([np.repeat(directions, 4, axis=0), np.zeros((1, 3))]) * lengths[:, None]


def _palm(joints_mm: NDArray, directions: Floats) -> Floats:
    """The five palm bones' directions as the frames (F, 21, 3) mm show them, turned to lie like those given."""
    if not len(joints_mm):
        return directions
    bones = (joints_mm[:, list(FINGER_BASES)] - joints_mm[:, [WRIST]]).astype(np.float64) * UP_FROM_CAMERA
    bones /= np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
    palm = directions
    for _ in range(_PALM_ROUNDS):
        palm = np.median(bones @ _fitted(bones, palm), axis=0)
        palm /= np.linalg.norm(palm, axis=-1, keepdims=True)
    return palm @ _fitted(palm[None], directions)[0]


def local_places(motion: HandMotion) -> Floats:
    """(F, 21, 3) mm of each tracked joint in its parent's turned frame (the wrist's in space): true bone lengths."""
    local = motion.rotations.as_matrix().reshape(-1, JOINTS_PER_HAND, 3, 3)
    world, places = local.copy(), motion.joints_mm.copy()
    for joint in FROM_WRIST[1:]:
        parent = PARENTS[joint]
        world[:, joint] = world[:, parent] @ local[:, joint]
        bone = motion.joints_mm[:, joint] - motion.joints_mm[:, parent]
        places[:, joint] = (bone[:, None] @ world[:, parent])[:, 0]
    return places


def _held(joints: Floats, there: NDArray[np.bool_], rest: Floats) -> Floats:
    """No format knows an absent hand: it stays where it was, before its first frame where it will be."""
    if not there.any():
        joints = np.zeros_like(joints)
        for joint in FROM_WRIST[1:]:
            joints[:, joint] = joints[:, PARENTS[joint]] + rest[joint]
        return joints
    last = np.maximum.accumulate(np.where(there, np.arange(len(there)), -1))
    return joints[np.where(last < 0, np.argmax(there), last)]


def _world_rotations(joints: Floats, rest: Floats) -> Floats:
    """(F, 21, 3, 3): the wrist fits the palm's five bones, each finger joint turns its bone the shortest way."""
    bases = list(FINGER_BASES)
    world = np.empty((*joints.shape, 3))
    world[:, WRIST] = _fitted(joints[:, bases] - joints[:, [WRIST]], rest[bases])
    for joint in FROM_WRIST[1:]:
        world[:, joint] = world[:, PARENTS[joint]]
        if joint in CHILD:
            child = CHILD[joint]
            pointing = world[:, joint] @ rest[child]
            world[:, joint] = _shortest(pointing, joints[:, child] - joints[:, joint]) @ world[:, joint]
    return world


def _fitted(bones: Floats, rest: Floats) -> Floats:
    """(F, 3, 3) rotations that turn `rest` (5, 3) onto `bones` (F, 5, 3) best (Kabsch)."""
    u, _, vt = np.linalg.svd(np.einsum("fki,kj->fij", bones, rest))
    proper = np.ones((len(bones), 3))
    proper[:, 2] = np.linalg.det(u @ vt)
    return (u * proper[:, None, :]) @ vt


def _shortest(a: Floats, b: Floats) -> Floats:
    """(F, 3, 3) rotations that turn the directions a onto b (F, 3) by the smallest angle."""
    a, b = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9) for v in (a, b))
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine[:, 0], (a * b).sum(axis=-1))
    # Straight back: any axis across will do.
    across = np.cross(a, np.where(np.abs(a[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    axis = np.where(
        sine > 1e-9, axis / np.maximum(sine, 1e-12), across / np.linalg.norm(across, axis=-1, keepdims=True)
    )
    return Rotation.from_rotvec(axis * angle[:, None]).as_matrix()

"""Shape + joint angles + placement -> a hand in the camera frame (numpy and scipy; any thread).

The right hand is modelled; a left hand is its mirror image (x to -x in the hand frame). Camera frame as in OpenCV:
x right, y down, z forward, mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from engines.skeleton import WRIST, Side
from training.synth.hand.asset import FOREARM_BONE, HAND_BONE, finger_joint, load_asset, phalanx_bone
from training.synth.hand.poses import WRIST_LOWER_DEG, WRIST_UPPER_DEG, JointAngles
from training.synth.hand.shape import HandShape, identity_transforms, skin

_EYE = np.eye(3)
_X, _Y, _Z = _EYE
_FULLY_BENT_DEG: Final = 80.0
_FINGER_BONES: Final = tuple(np.array([phalanx_bone(finger, k) for k in range(3)]) for finger in range(5))
_FINGER_JOINTS: Final = tuple(np.array([finger_joint(finger, k + 1) for k in range(3)]) for finger in range(5))
_ALL_FINGER_JOINTS: Final = np.concatenate(_FINGER_JOINTS)
MIRROR: Final = np.array([-1.0, 1.0, 1.0])
RAY_DEG: Final = (6.0, 0.0, -5.0, -12.0)
"""Direction of index .. little finger at zero abduction against the hand's y axis, positive radial."""


@dataclass(frozen=True)
class Placement:
    """Where a hand is: its wrist joint in the camera frame and the turn from hand frame to camera frame."""

    wrist_cam_mm: NDArray[np.float64]
    """(3,)."""
    camera_from_hand: NDArray[np.float64]
    """(3, 3) rotation."""

    def mirrored(self) -> Placement:
        """The placement of the other hand in a mirror at x = 0."""
        return Placement(self.wrist_cam_mm * MIRROR, self.camera_from_hand * np.outer(MIRROR, MIRROR))


@dataclass(frozen=True)
class HandSkeleton:
    """One hand's joints in the camera frame; `finger_girth` scales its contact capsules."""

    side: Side
    joints_mm: NDArray[np.float64]
    """(21, 3)."""
    elbow_mm: NDArray[np.float64]
    """(3,) end of the modelled forearm."""
    finger_girth: NDArray[np.float64]
    """(5,)."""


@dataclass(frozen=True)
class HandMesh:
    """One hand's surface in the camera frame; triangles are the asset's, wound the other way for a left hand."""

    side: Side
    vertices_mm: NDArray[np.float32]
    """(N, 3)."""
    normals: NDArray[np.float32]
    """(N, 3) unit length, outwards."""
    bend: NDArray[np.float32]
    """(N,) how far the joint under the skin is bent, 0 straight .. 1: dorsal wrinkles stretch, palm lines deepen."""


@dataclass(frozen=True)
class HandState:
    """One hand at one moment: its pose and its place in the camera frame."""

    side: Side
    angles: JointAngles
    placement: Placement

    def skeleton(self, shape: HandShape) -> HandSkeleton:
        """Its joints for a person's hand."""
        return hand_skeleton(shape, self.angles, self.placement, self.side)

    def mesh(self, shape: HandShape) -> HandMesh:
        """Its surface for a person's hand."""
        return hand_mesh(shape, self.angles, self.placement, self.side)

    def moved(self, shift_mm: NDArray) -> HandState:
        """The same hand shifted by (3,) mm."""
        shifted = Placement(self.placement.wrist_cam_mm + shift_mm, self.placement.camera_from_hand)
        return HandState(self.side, self.angles, shifted)

    def turned(self, rotation: NDArray, shift_mm: NDArray) -> HandState:
        """The same hand after a (3, 3) rotation about the origin and then a (3,) shift."""
        wrist = rotation @ self.placement.wrist_cam_mm + shift_mm
        return HandState(self.side, self.angles, Placement(wrist, rotation @ self.placement.camera_from_hand))


def hand_skeleton(shape: HandShape, angles: JointAngles, placement: Placement, side: Side) -> HandSkeleton:
    """The joints of a hand without its surface."""
    points = np.empty((22, 3))
    points[:21] = shape.joints_mm
    points[_ALL_FINGER_JOINTS] = np.concatenate([joints for _, joints in _articulated_fingers(shape, angles)])
    points[21] = _elbow_mm(shape, *angles.wrist_deg.tolist())
    placed = _place(points, shape, placement, side)
    return HandSkeleton(side, placed[:21], placed[21], shape.finger_girth)


def hand_mesh(shape: HandShape, angles: JointAngles, placement: Placement, side: Side) -> HandMesh:
    """The surface of a hand."""
    transforms, _ = articulate(shape, angles)
    vertices = _place(skin(shape.vertices_mm, transforms), shape, placement, side).astype(np.float32)
    normals = vertex_normals(vertices)
    return HandMesh(side, vertices, -normals if side == "left" else normals, _bend(angles))


def _bend(angles: JointAngles) -> NDArray[np.float32]:
    """(N,) see `HandMesh.bend`."""
    flexion = np.clip(angles.fingers_deg[:, [0, 2, 3]] / _FULLY_BENT_DEG, 0, 1).astype(np.float32)
    at_joints, palm = _bend_weights()
    return np.clip(at_joints @ flexion.ravel() + palm * flexion[1:, 0].mean(), 0, 1)


@lru_cache(maxsize=1)
def _bend_weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N, 15) nearness of each vertex to each finger joint, and (N,) 1 on the palm."""
    weights = load_asset().bone_weights
    near = np.zeros((len(weights), 15), np.float32)
    for finger in range(5):
        for k in range(3):
            before = HAND_BONE if k == 0 else phalanx_bone(finger, k - 1)
            near[:, 3 * finger + k] = 4 * weights[:, before] * weights[:, phalanx_bone(finger, k)]
    return near, np.where(weights[:, HAND_BONE] > 0.9, weights[:, HAND_BONE], 0).astype(np.float32)


def vertex_normals(vertices_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 3) area-weighted unit normals of the asset's surface with vertices (N, 3)."""
    a, b, c = (vertices_mm[load_asset().triangles[:, k]] for k in range(3))
    total = _vertex_from_triangle() @ np.cross(b - a, c - a)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9), np.float32)


def wrist_towards(elbow_cam_mm: NDArray, placement: Placement, side: Side) -> NDArray[np.float64]:
    """(3,) wrist angles in degrees, inside the limits, that point the forearm from the wrist to a point."""
    direction = placement.camera_from_hand.T @ (elbow_cam_mm - placement.wrist_cam_mm)
    direction = direction * MIRROR if side == "left" else direction
    x, y, z = direction / np.linalg.norm(direction)
    flexion = np.degrees(np.arctan2(z, -y))
    deviation = np.degrees(np.arcsin(np.clip(x, -1, 1)))
    return np.clip([flexion, deviation, 0.0], WRIST_LOWER_DEG, WRIST_UPPER_DEG)


def hand_from_forearm(wrist_deg: NDArray) -> NDArray[np.float64]:
    """(3, 3) turn of the forearm in the hand frame for the wrist's flexion, deviation and twist."""
    flexion, deviation, twist = np.radians(wrist_deg)
    return _turn(_X, -flexion) @ _turn(_Z, deviation) @ _turn(_Y, twist)


def _place(points: NDArray, shape: HandShape, placement: Placement, side: Side) -> NDArray:
    local = points - shape.joints_mm[WRIST]
    local = local * MIRROR if side == "left" else local
    return local @ placement.camera_from_hand.T + placement.wrist_cam_mm


def _turn(axis: NDArray, angle_rad: float) -> NDArray[np.float64]:
    """(3, 3) rotation about a unit axis (Rodrigues), in plain floats: ten times as fast as SciPy's for a single one."""
    x, y, z = axis.tolist()
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    d = 1 - c
    return np.array(
        [
            [c + x * x * d, x * y * d - z * s, x * z * d + y * s],
            [x * y * d + z * s, c + y * y * d, y * z * d - x * s],
            [x * z * d - y * s, y * z * d + x * s, c + z * z * d],
        ]
    )


def articulate(shape: HandShape, angles: JointAngles) -> tuple[NDArray, NDArray]:
    """Bone transforms (17, 3, 4) and joints (21, 3) in the hand frame; the palm stays, the forearm turns."""
    transforms, posed = identity_transforms(), shape.joints_mm.copy()
    _set_turn(
        transforms[FOREARM_BONE], hand_from_forearm(angles.wrist_deg), shape.joints_mm[WRIST], shape.joints_mm[WRIST]
    )
    for finger, (bones, joints) in enumerate(_articulated_fingers(shape, angles)):
        transforms[_FINGER_BONES[finger]], posed[_FINGER_JOINTS[finger]] = bones, joints
    return transforms, posed


def _articulated_fingers(shape: HandShape, angles: JointAngles) -> list[tuple[NDArray, NDArray]]:
    """`_articulated_finger` of thumb to little finger."""
    return [_articulated_finger(finger, shape, *own) for finger, own in enumerate(angles.fingers_deg.tolist())]


@lru_cache(maxsize=64)
def _elbow_mm(shape: HandShape, *wrist_deg: float) -> NDArray[np.float64]:
    """(3,) the elbow in the hand frame; kept, as of one hand many places of its fingers are tried."""
    transform, wrist = np.empty((3, 4)), shape.joints_mm[WRIST]
    _set_turn(transform, hand_from_forearm(np.array(wrist_deg)), wrist, wrist)
    return transform @ np.append(shape.elbow_mm, 1.0)


@lru_cache(maxsize=64)
def _articulated_finger(finger: int, shape: HandShape, *angles_deg: float) -> tuple[NDArray, NDArray]:
    """The finger's three bone transforms (3, 3, 4) and its joints but for the first (3, 3).

    Kept, as a thumb that is laid or a finger that closes is tried in many places, in which all others stay.
    """
    angles = [math.radians(angle) for angle in angles_deg]
    transforms, posed = np.zeros((3, 3, 4)), np.zeros((3, 3))
    axes, rest_flexion = rest_geometry(shape)[finger]
    rest, bones = _rest_bones(shape)[finger]
    turn, head = _EYE, rest[0]
    for k in range(3):
        if k == 0:
            turn = _base_turn(finger, _rest_base(shape)[finger], axes[0], angles)
        else:
            turn = turn @ _turn(axes[k], angles[k + 1] - rest_flexion[k - 1])
        _set_turn(transforms[k], turn, rest[k], head)
        head = head + turn @ bones[k]
        posed[k] = head
    return transforms, posed


def _base_turn(finger: int, rest: _RestBase, axis: NDArray, angles: Sequence[float]) -> NDArray:
    """Turn of the first bone: relative to rest for the thumb, absolute in the hand frame for the fingers."""
    if finger == 0:
        return _turn(axis, angles[0]) @ _turn(rest.dorsal, angles[1]) @ _turn(rest.direction, -0.35 * angles[1])
    ray = math.radians(RAY_DEG[finger - 1]) + angles[1]
    return _turn(axis, angles[0] - rest.flexion) @ _turn(-_Z, ray - rest.ray)


class _RestBase(NamedTuple):
    """A finger's first bone in the rest pose."""

    direction: NDArray[np.float64]
    """(3,) unit length, outwards."""
    dorsal: NDArray[np.float64]
    """(3,) perpendicular to it and to the axis of flexion."""
    flexion: float
    ray: float
    """Radians in the hand frame."""


@lru_cache(maxsize=64)
def _rest_bones(shape: HandShape) -> tuple[tuple[NDArray, NDArray], ...]:
    """For each finger its joints (4, 3) and bones (3, 3) in the rest pose, mm."""
    chains = [shape.joints_mm[[finger_joint(finger, k) for k in range(4)]] for finger in range(5)]
    return tuple((rest, np.diff(rest, axis=0)) for rest in chains)


@lru_cache(maxsize=64)
def _rest_base(shape: HandShape) -> tuple[_RestBase, ...]:
    found = []
    for (_, bones), (axes, _) in zip(_rest_bones(shape), rest_geometry(shape), strict=True):
        x, y, z = direction = bones[0] / np.linalg.norm(bones[0])
        flexion, ray = float(np.arctan2(z, np.hypot(x, y))), float(np.arctan2(x, y))
        found.append(_RestBase(direction, np.cross(direction, axes[0]), flexion, ray))
    return tuple(found)


@lru_cache(maxsize=64)
def rest_geometry(shape: HandShape) -> tuple[tuple[NDArray, NDArray], ...]:
    """For each finger its three flexion axes (3, 3) and the rest flexion (2,) of its two outer joints."""
    chains = (rest for rest, _ in _rest_bones(shape))
    return tuple((_flexion_axes(f, rest), _rest_flexion(f, rest)) for f, rest in enumerate(chains))


def _flexion_axes(finger: int, rest: NDArray) -> NDArray:
    """(3, 3) the finger's flexion axis made perpendicular to each of its three bones."""
    bones = np.diff(rest, axis=0)
    bones /= np.linalg.norm(bones, axis=1, keepdims=True)
    axis = load_asset().flexion_axes[finger]
    axes = axis - (bones @ axis)[:, None] * bones
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def _rest_flexion(finger: int, rest: NDArray) -> NDArray:
    """(2,) flexion in radians that the middle and end joint have in the rest pose."""
    bones = np.diff(rest, axis=0)
    bones /= np.linalg.norm(bones, axis=1, keepdims=True)
    sine = np.cross(bones[:-1], bones[1:]) @ load_asset().flexion_axes[finger]
    return np.arctan2(sine, np.sum(bones[:-1] * bones[1:], axis=1))


def _set_turn(transform: NDArray, turn: NDArray, rest_mm: NDArray, posed_mm: NDArray) -> None:
    """Write the (3, 4) transform that turns about `rest_mm` and brings that point to `posed_mm`."""
    transform[:, :3] = turn
    transform[:, 3] = posed_mm - turn @ rest_mm


@lru_cache(maxsize=1)
def _vertex_from_triangle() -> sparse.csr_matrix:
    asset = load_asset()
    triangles = asset.triangles
    columns = np.repeat(np.arange(len(triangles)), 3)
    ones = np.ones(triangles.size, np.float32)
    return sparse.csr_matrix((ones, (triangles.ravel(), columns)), (len(asset.vertices_mm), len(triangles)))

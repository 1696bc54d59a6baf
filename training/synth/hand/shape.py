"""Hands of different people: the calibrated mean hand and random shapes (numpy only; any thread).

The corrections were found by fitting the MakeHuman hand to six annotated hands of InterHand2.6M; they bring all bone
lengths to 0.94-1.03 of the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import WRIST
from training.synth.hand.asset import BONE_COUNT, FOREARM_BONE, HAND_BONE, finger_joint, load_asset, phalanx_bone

PHALANX_LENGTH: Final = np.array(
    [[0.98, 1.0, 1.06], [1.02, 1.03, 0.91], [1.01, 1.02, 0.92], [1.0, 1.10, 0.91], [0.93, 1.21, 1.06]]
)
"""(5, 3) factor of each phalanx, thumb to little finger, palm to tip."""
JOINT_OFFSET_MM: Final = {
    20: (0.0, 4.5, -7.5),
    3: (0.0, -4.0, 9.5),
    7: (0.0, 0.0, -2.0),
    11: (0.0, 0.0, -2.4),
    15: (0.0, 0.0, 0.4),
    19: (0.0, 0.0, 1.5),
}
"""Where InterHand2.6M's annotators see a joint, relative to the rig's."""
PALM_WIDTH, PALM_THICKNESS, ARM_GIRTH, SCALE = 1.09, 1.05, 1.08, 0.992
NEUTRAL_GIRTH, MEAN_GIRTH = 1.13, 1.15
FOREARM_EXTRA_MM: Final = 130.0
"""The forearm is made longer than the asset's, so that its open end stays out of the picture."""


@dataclass(frozen=True, eq=False)
class HandShape:
    """One person's right hand in rest pose, hand frame, mm; compared by identity, so that it can key a cache."""

    vertices_mm: NDArray[np.float32]
    """(N, 3)."""
    joints_mm: NDArray[np.float64]
    """(21, 3)."""
    elbow_mm: NDArray[np.float64]
    """(3,)."""
    finger_girth: NDArray[np.float64]
    """(5,) thickness of each finger against the asset's, size included."""


def neutral_shape() -> HandShape:
    """The mean hand."""
    zeros = np.zeros(len(load_asset().vertex_components_mm))
    return _shape(zeros, SCALE, PHALANX_LENGTH, np.full(5, NEUTRAL_GIRTH))


HAND_LENGTH_MM: Final = 178.0, 10.0
"""Mean and deviation of adults, from the wrist over the bones to the middle finger's tip."""


def sample_shape(rng: np.random.Generator, size: float = 1.0, mean_girth: float = MEAN_GIRTH) -> HandShape:
    """A random person's hand: shape components, size, lengths and girth of the fingers.

    The length of the hand is drawn itself, with the spread that adults have. `size` and `mean_girth` are those of the
    person's age: a child's hand is small and its fingers are thick.
    """
    coefficients = np.clip(rng.normal(size=len(load_asset().vertex_components_mm)), -2, 2) * 0.75
    lengths = PHALANX_LENGTH * np.clip(rng.normal(1, 0.035, (5, 1)), 0.9, 1.1)
    lengths = lengths * np.clip(rng.normal(1, 0.03, (5, 3)), 0.9, 1.1)
    girth = np.clip(rng.normal(mean_girth, 0.08), 0.95, 1.34) * np.clip(rng.normal(1, 0.02, 5), 0.95, 1.05)
    wanted_mm = size * np.clip(rng.normal(*HAND_LENGTH_MM), 150, 208)
    return _shape(coefficients, wanted_mm / _hand_length_mm(coefficients, lengths), lengths, girth)


def skin(vertices_mm: NDArray, transforms: NDArray) -> NDArray[np.float32]:
    """Linear blend skinning of (N, 3) vertices with one (3, 4) transform per bone, (17, 3, 4)."""
    flat = transforms.reshape(BONE_COUNT, 12).astype(np.float32)
    blended = (load_asset().bone_weights @ flat).reshape(-1, 3, 4)
    return np.einsum("nij,nj->ni", blended[:, :, :3], vertices_mm.astype(np.float32)) + blended[:, :, 3]


_IDENTITY: Final = np.tile(np.eye(3, 4), (BONE_COUNT, 1, 1))


def identity_transforms() -> NDArray[np.float64]:
    """(17, 3, 4) bone transforms that move nothing."""
    return _IDENTITY.copy()


@lru_cache(maxsize=1)
def calibrated_rest() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Vertices (N, 3) and joints (21, 3) mm of the mean hand with the broader palm and arm and the joint offsets."""
    asset = load_asset()
    transforms = identity_transforms()
    transforms[FOREARM_BONE, :, :3] = np.diag([ARM_GIRTH, 1, ARM_GIRTH])
    transforms[HAND_BONE, :, :3] = np.diag([PALM_WIDTH, 1, PALM_THICKNESS])
    joints = asset.joints_mm.copy()
    for finger in range(5):
        shift = np.array([asset.joints_mm[finger_joint(finger, 0), 0] * (PALM_WIDTH - 1), 0, 0])
        transforms[phalanx_bone(finger, 0) : phalanx_bone(finger, 2) + 1, :, 3] = shift
        joints[4 * finger : 4 * finger + 4] += shift
    for joint, offset in JOINT_OFFSET_MM.items():
        joints[joint] += offset
    return skin(asset.vertices_mm, transforms), joints


def _shape(coefficients: NDArray, scale: float, lengths: NDArray, girth: NDArray) -> HandShape:
    asset = load_asset()
    rest_vertices, rest_joints = calibrated_rest()
    morph = np.tensordot(coefficients.astype(np.float32), asset.vertex_components_mm, 1)
    vertices = (rest_vertices + morph) * np.float32(scale)
    joints = (rest_joints + np.tensordot(coefficients, asset.joint_components_mm, 1)) * scale
    elbow = (asset.elbow_mm + coefficients @ asset.elbow_components_mm) * scale
    transforms, stretched = _stretch_fingers(joints, lengths, girth)
    vertices, elbow = _lengthen_forearm(skin(vertices, transforms), elbow)
    return HandShape(vertices, stretched, elbow, np.asarray(girth * scale / SCALE, np.float64))


def _hand_length_mm(coefficients: NDArray, lengths: NDArray) -> float:
    """Wrist to middle finger tip along the bones, at scale 1."""
    joints = calibrated_rest()[1] + np.tensordot(coefficients, load_asset().joint_components_mm, 1)
    chain = joints[[WRIST, *(finger_joint(2, k) for k in range(4))]]
    return float(np.linalg.norm(np.diff(chain, axis=0), axis=1) @ np.array([1.0, *lengths[2]]))


def _stretch_fingers(joints: NDArray, lengths: NDArray, girth: NDArray) -> tuple[NDArray, NDArray]:
    """Bone transforms that stretch each phalanx along its axis and thicken it across, and the joints they give."""
    transforms, stretched = identity_transforms(), joints.copy()
    for finger in range(5):
        for k in range(3):
            start, end = finger_joint(finger, k), finger_joint(finger, k + 1)
            bone = joints[end] - joints[start]
            along = np.outer(bone, bone) / (bone @ bone)
            matrix = girth[finger] * (np.eye(3) - along) + lengths[finger, k] * along
            stretched[end] = stretched[start] + lengths[finger, k] * bone
            transforms[phalanx_bone(finger, k), :, :3] = matrix
            transforms[phalanx_bone(finger, k), :, 3] = stretched[start] - matrix @ joints[start]
    return transforms, stretched


def _lengthen_forearm(vertices: NDArray[np.float32], elbow: NDArray) -> tuple[NDArray[np.float32], NDArray]:
    direction = elbow / np.linalg.norm(elbow)
    share = np.clip((-110 - vertices[:, 1:2]) / 110, 0, 1.3)
    longer = vertices + (share * FOREARM_EXTRA_MM * direction).astype(np.float32)
    return longer, elbow + FOREARM_EXTRA_MM * direction

"""The calibrated hand: bone lengths, mirroring, joint limits, skinning."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.skeleton import FINGER_BASES, FINGER_TIPS, WRIST
from training.synth.hand.asset import FOREARM_BONE, load_asset, phalanx_bone
from training.synth.hand.model import Placement, hand_mesh, hand_skeleton, wrist_towards
from training.synth.hand.poses import (
    GESTURES,
    LOWER_DEG,
    MODES,
    UPPER_DEG,
    WRIST_LOWER_DEG,
    WRIST_UPPER_DEG,
    JointAngles,
    abduction_freedom,
    sample_angles,
)
from training.synth.hand.shape import HandShape, neutral_shape, sample_shape
from training.synth.story.keyframes import FACING

# Mean of six annotated hands of InterHand2.6M, mm: wrist to base, then base to tip; thumb to little finger.
REAL_BONES_MM = np.array(
    [
        [38.2, 37.0, 31.2, 27.7],
        [85.9, 41.2, 24.7, 21.9],
        [84.4, 42.7, 29.0, 22.3],
        [80.4, 39.0, 26.9, 21.5],
        [77.3, 29.9, 19.5, 18.8],
    ]
)
ANYWHERE = Placement(np.array([30.0, -20.0, 500.0]), Rotation.from_euler("xyz", [0.3, -0.8, 0.4]).as_matrix())


def bone_lengths_mm(joints: np.ndarray) -> np.ndarray:
    chains = [[WRIST, base, base - 1, base - 2, base - 3] for base in FINGER_BASES]
    return np.linalg.norm(np.diff(joints[chains], axis=1), axis=2)


def all_vertices(shape: HandShape, angles: JointAngles, placement: Placement) -> np.ndarray:
    return hand_mesh(shape, angles, placement, "right").vertices_mm


def test_bone_lengths_are_those_of_real_hands() -> None:
    ratio = bone_lengths_mm(neutral_shape().joints_mm) / REAL_BONES_MM
    assert ratio.min() > 0.935
    assert ratio.max() < 1.035


@pytest.mark.parametrize("name", sorted(GESTURES))
def test_posing_keeps_bone_lengths(name: str) -> None:
    shape = neutral_shape()
    posed = hand_skeleton(shape, GESTURES[name], ANYWHERE, "right").joints_mm
    np.testing.assert_allclose(bone_lengths_mm(posed), bone_lengths_mm(shape.joints_mm), rtol=1e-9)


def test_random_shapes_differ_plausibly_and_repeat_with_the_seed() -> None:
    hands = [bone_lengths_mm(sample_shape(np.random.default_rng(seed)).joints_mm) for seed in range(40)]
    middle_finger = np.array([hand[2].sum() for hand in hands])
    assert 5 < middle_finger.std() < 25
    assert middle_finger.min() > 140 and middle_finger.max() < 225
    again = bone_lengths_mm(sample_shape(np.random.default_rng(7)).joints_mm)
    np.testing.assert_array_equal(again, hands[7])


def test_left_hand_is_the_mirrored_right_one() -> None:
    shape, angles = neutral_shape(), sample_angles(np.random.default_rng(4))
    right = hand_skeleton(shape, angles, ANYWHERE, "right")
    left = hand_skeleton(shape, angles, ANYWHERE.mirrored(), "left")
    np.testing.assert_allclose(left.joints_mm, right.joints_mm * [-1, 1, 1], atol=1e-9)
    right_mesh = hand_mesh(shape, angles, ANYWHERE, "right")
    left_mesh = hand_mesh(shape, angles, ANYWHERE.mirrored(), "left")
    np.testing.assert_allclose(left_mesh.vertices_mm, right_mesh.vertices_mm * [-1, 1, 1], atol=1e-3)
    np.testing.assert_allclose(left_mesh.normals, right_mesh.normals * [-1, 1, 1], atol=1e-3)
    assert np.linalg.det(ANYWHERE.mirrored().camera_from_hand) == pytest.approx(1.0)


def test_right_palm_to_the_camera_shows_its_thumb_on_the_right() -> None:
    shape, facing = neutral_shape(), Placement(np.array([0.0, 0.0, 500.0]), FACING)
    right = hand_skeleton(shape, GESTURES["open"], facing, "right").joints_mm
    left = hand_skeleton(shape, GESTURES["open"], facing, "left").joints_mm
    assert right[0, 0] > right[WRIST, 0] + 40
    assert left[0, 0] < left[WRIST, 0] - 40
    assert right[FINGER_TIPS[2], 1] < right[WRIST, 1] - 150, "fingers point up: towards smaller y"
    bent = hand_skeleton(shape, GESTURES["fist"], facing, "right").joints_mm
    assert np.all(bent[list(FINGER_BASES[1:]), 2] - bent[[6, 10, 14, 18], 2] > 20), "fingers bend towards the camera"


def test_mesh_normals_point_outwards() -> None:
    shape = neutral_shape()
    for side in ("right", "left"):
        mesh = hand_mesh(shape, GESTURES["open"], ANYWHERE, side)
        joints = hand_skeleton(shape, GESTURES["open"], ANYWHERE, side).joints_mm
        hand_part = load_asset().bone_weights[:, 0] < 0.05
        outwards = mesh.vertices_mm[:, None] - joints
        nearest = np.linalg.norm(outwards, axis=2).argmin(axis=1)
        radial = outwards[np.arange(len(nearest)), nearest]
        assert np.mean(np.sum(radial * mesh.normals, axis=1)[hand_part] > 0) > 0.9
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)


def test_joints_lie_inside_the_skin() -> None:
    shape = neutral_shape()
    vertices = all_vertices(shape, GESTURES["open"], ANYWHERE)
    joints = hand_skeleton(shape, GESTURES["open"], ANYWHERE, "right").joints_mm
    nearest = np.linalg.norm(vertices[:, None] - joints, axis=2).min(axis=0)
    assert nearest[list(FINGER_TIPS)].max() < 9
    assert nearest.max() < 25


@pytest.mark.parametrize("mode", [None, *MODES])
def test_random_poses_respect_the_joint_limits(mode: str | None) -> None:
    for seed in range(30):
        angles = sample_angles(np.random.default_rng(seed), mode)
        fingers = angles.fingers_deg
        assert np.all((fingers >= LOWER_DEG) & (fingers <= UPPER_DEG))
        assert np.all(np.abs(fingers[1:, 1]) <= 18 * abduction_freedom(fingers[1:, 0]) + 1e-9)
        assert np.all(np.abs(fingers[1:, 3] - 0.62 * fingers[1:, 2]) <= 7 + 1e-9)
        assert np.all((angles.wrist_deg >= WRIST_LOWER_DEG) & (angles.wrist_deg <= WRIST_UPPER_DEG))


def test_limiting_changes_only_what_is_outside() -> None:
    wild = JointAngles(np.full((5, 4), 300.0), np.array([-200.0, 0.0, 90.0])).limited()
    np.testing.assert_array_equal(wild.wrist_deg, [-65, 0, 25])
    np.testing.assert_array_equal(wild.fingers_deg[0], UPPER_DEG[0])
    for angles in GESTURES.values():
        np.testing.assert_allclose(angles.limited().fingers_deg, angles.fingers_deg)


@pytest.mark.parametrize("side", ["right", "left"])
def test_forearm_points_to_the_elbow(side: str) -> None:
    shape, facing = neutral_shape(), Placement(np.array([0.0, 0.0, 500.0]), FACING)
    elbow = np.array([40.0, 300.0, 560.0])
    angles = GESTURES["open"].with_wrist(wrist_towards(elbow, facing, side))
    hand = hand_skeleton(shape, angles, facing, side)
    wanted, got = elbow - hand.joints_mm[WRIST], hand.elbow_mm - hand.joints_mm[WRIST]
    cosine = wanted @ got / np.linalg.norm(wanted) / np.linalg.norm(got)
    assert np.degrees(np.arccos(cosine)) < 8


def test_bent_joints_are_known_to_the_skin() -> None:
    """A fist's knuckles, not those of an open hand; a pointing hand's index stays straight."""
    shape, weights = neutral_shape(), load_asset().bone_weights
    bends = {
        name: hand_mesh(shape, GESTURES[name], Placement(np.zeros(3), np.eye(3)), "right").bend
        for name in ("open", "fist", "point")
    }
    knuckles = {f: weights[:, phalanx_bone(f, 0)] * weights[:, phalanx_bone(f, 1)] > 0.2 for f in (1, 3)}
    assert bends["open"].max() < 0.35 and bends["fist"][knuckles[1]].mean() > 0.6
    assert bends["point"][knuckles[1]].mean() < 0.15 and bends["point"][knuckles[3]].mean() > 0.6
    forearm = weights[:, FOREARM_BONE] > 0.99
    assert not bends["fist"][forearm].any()

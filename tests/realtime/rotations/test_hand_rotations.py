"""Rotations of joints: against the generator's exact ones, in time, mirrored, turned, and of hands that are none."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import FINGER_BASES, FINGER_TIPS, PARENTS, SIDES, WRIST, Side
from realtime.rotations.hand_rotations import hand_rotations, rotation_confidence, steady_signs
from realtime.rotations.joint_angles import joint_angles_deg
from realtime.rotations.quaternions import angle_deg, from_matrices, inverse, matrices, times, turned
from realtime.rotations.rest_hand import (
    FLEXION_AXES,
    FLEXION_LIMITS_DEG,
    MOST_ABDUCTION_DEG,
    PALM,
    STRAIGHT_ABDUCTION_DEG,
)
from tests.support.hand_frames import joints_mm
from training.synth.hand.asset import finger_joint
from training.synth.hand.model import HandState, Placement, rest_geometry
from training.synth.hand.orientations import ASSET_FROM_OURS, true_rotations
from training.synth.hand.poses import GESTURES, LOWER_DEG, JointAngles, sample_angles
from training.synth.hand.shape import HandShape, neutral_shape, sample_shape
from training.synth.story.motion import KeyedRotations, KeyedValues

RATE_HZ = 60
POSES = "relaxed", "fist"


@cache
def random_hands() -> list[tuple[HandState, HandShape]]:
    rng = np.random.default_rng(11)
    shapes = [sample_shape(rng) for _ in range(25)]
    return [(random_state(rng, SIDES[i % 2]), shapes[i % len(shapes)]) for i in range(120)]


def random_state(rng: np.random.Generator, side: Side) -> HandState:
    turn = Rotation.random(random_state=int(rng.integers(1 << 30))).as_matrix()
    return HandState(side, sample_angles(rng), Placement(np.array([30.0, -20.0, 500.0]), turn))


def rotations_of(state: HandState, shape: HandShape) -> NDArray[np.float64]:
    return hand_rotations(state.skeleton(shape).joints_mm, state.side)


def test_random_hands_are_near_the_generators_exact_rotations() -> None:
    """The error left is what the bones do not show: shapes whose joints flex about other axes than the mean hand's."""
    errors = np.stack(
        [
            angle_deg(rotations_of(state, shape), from_matrices(true_rotations(state, shape)))
            for state, shape in random_hands()
        ]
    )
    assert errors.mean() < 2.0
    assert (errors.mean(axis=0) < 4.0).all()
    assert (np.percentile(errors, 95, axis=0) < 5.0).all()
    assert errors[:, WRIST].max() < 3.0
    assert errors.max() < 8.0


def test_angles_are_those_the_generator_posed() -> None:
    errors = []
    for state, shape in random_hands():
        angles = joint_angles_deg(rotations_of(state, shape), state.side)
        base, middle, end = ([finger_joint(f, k) for f in range(5)] for k in range(3))
        found = np.column_stack([angles[base, 0], angles[base, 1], angles[middle, 0], angles[end, 0]])
        errors.append(found - state.angles.fingers_deg)
        assert np.isnan(angles[[WRIST, *FINGER_TIPS]]).all()
    assert np.abs(np.mean(errors, axis=0)).max() < 2.0
    assert np.sqrt(np.mean(np.square(errors))) < 1.5
    assert np.abs(errors).max() < 8.0


def test_bones_lie_along_minus_z() -> None:
    for state, shape in random_hands()[:20]:
        joints = state.skeleton(shape).joints_mm
        ahead = turned(rotations_of(state, shape), np.array([0.0, 0.0, -1.0]))
        for joint in set(range(20)) - set(FINGER_BASES):
            bone = joints[joint] - joints[PARENTS[joint]]
            np.testing.assert_allclose(ahead[PARENTS[joint]], bone / np.linalg.norm(bone), atol=1e-9)


def test_a_smooth_sequence_has_no_jumps_and_goes_as_fast_as_the_hand() -> None:
    """Through fists, spreads, points and beyond straight at 60 pictures a second, turning over as it goes."""
    rng = np.random.default_rng(5)
    times_s = np.arange(0, 3, 0.5)
    keys = [sample_angles(rng).fingers_deg for _ in times_s]
    keys[1], keys[3] = np.zeros((5, 4)), 0.6 * LOWER_DEG
    fingers = KeyedValues(times_s.tolist(), keys)
    places = KeyedRotations(times_s.tolist(), list(Rotation.random(len(times_s), random_state=3)))
    shape = sample_shape(rng)
    joints, truth = [], []
    for t_s in np.arange(0, 2.5, 1 / RATE_HZ):
        angles = JointAngles(fingers.at(t_s), np.zeros(3))
        state = HandState("right", angles, Placement(np.array([0, 0, 500.0]), places.at(t_s).as_matrix()))
        joints.append(state.skeleton(shape).joints_mm)
        truth.append(from_matrices(true_rotations(state, shape)))
    found = steady_signs(hand_rotations(np.array(joints), "right"))
    steps_deg = angle_deg(found[1:], found[:-1])
    true_deg = angle_deg(np.array(truth)[1:], np.array(truth)[:-1])
    assert true_deg.max() > 8.0  # it moves
    assert steps_deg.max() < 20.0
    assert np.abs(steps_deg - true_deg).max() < 2.5
    assert ((found[1:] * found[:-1]).sum(axis=-1) > 0.9).all()


@pytest.mark.parametrize("side", SIDES)
def test_one_picture_of_two_poses_turns_no_finger_round(side: Side) -> None:
    """What a blurred picture and a filter make of a closing hand: joints on straight ways, so bones that shrink."""
    still = Placement(np.array([0.0, 0.0, 500.0]), np.eye(3))
    relaxed, fist = (HandState(side, GESTURES[name], still).skeleton(neutral_shape()).joints_mm for name in POSES)
    share = np.linspace(0, 1, 24)[:, None, None]
    found = hand_rotations((1 - share) * relaxed + share * fist, side)
    assert angle_deg(found[1:], found[:-1]).max() < 20.0


def test_what_no_hand_does_is_not_said() -> None:
    """Joints that are off by 15 mm: flexion and abduction stay inside the limits."""
    noise = np.random.default_rng(0).normal(0, 15, (300, 21, 3))
    angles = joint_angles_deg(hand_rotations(joints_mm("right", (0, 0, 450), 20) + noise, "right"), "right")
    bones = np.array(FINGER_BASES)[:, None] - np.arange(3)
    flexion, abduction = angles[:, bones, 0], angles[:, bones, 1]
    assert (flexion > FLEXION_LIMITS_DEG[..., 0] - 1e-6).all() and (flexion < FLEXION_LIMITS_DEG[..., 1] + 1e-6).all()
    assert (np.abs(abduction) < MOST_ABDUCTION_DEG + 1e-6).all()
    assert (flexion < 0).any() and (flexion > 80).any()


@pytest.mark.parametrize(("axis", "first"), [((1, 0, 0), 1), ((0, 0, 1), 1), ((1, 1, 0), 1)])
def test_also_what_no_hand_does_is_continuous(axis: tuple[float, float, float], first: int) -> None:
    """Bones once round, whatever that breaks: a step ten times smaller turns about ten times less far."""
    hand = joints_mm("right", (0, 0, 450), 10)
    steps = []
    for count in (361, 3601):
        around = np.linspace(0, 2 * np.pi, count)[:, None] * np.array(axis) / np.linalg.norm(axis)
        turns = Rotation.from_rotvec(around).as_matrix()
        joints = np.repeat(hand[None], count, axis=0)
        for base in FINGER_BASES:
            moved, about = slice(base - 3, base - first + 1), base - first + 1
            joints[:, moved] = hand[about] + np.einsum("nij,kj->nki", turns, hand[moved] - hand[about])
        found = hand_rotations(joints, "right")
        steps.append(angle_deg(found[1:], found[:-1]).max())
    assert steps[1] < 0.2 * steps[0]


@pytest.mark.parametrize("side", SIDES)
def test_a_straight_finger_keeps_its_turn(side: Side) -> None:
    """Its bones say nothing of it, and noise must not: straight hands, half a millimetre of noise."""
    rng = np.random.default_rng(2)
    curls = 6 * np.sin(np.linspace(0, 12, 150))
    hands = np.stack([joints_mm(side, (0, 0, 450), curl) for curl in curls]) + rng.normal(0, 0.5, (150, 21, 3))
    found = hand_rotations(hands, side)
    assert angle_deg(found[1:], found[:-1]).max() < 20.0


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_turning_moving_and_scaling_the_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    joints = joints_mm("right", (0, 0, 400), curl_deg=30) + rng.normal(0, 3, (21, 3))
    turn = Rotation.random(random_state=seed % 1000)
    moved = 0.7 * joints @ turn.as_matrix().T + [50, -20, 900]
    expected = times(turn.as_quat(), hand_rotations(joints, "right"))
    assert angle_deg(hand_rotations(moved, "right"), expected).max() < 1e-3


def test_a_left_hand_is_a_right_one_in_the_mirror() -> None:
    right = joints_mm("right", (0, 0, 400), curl_deg=25)
    mirror = np.diag([-1.0, 1.0, 1.0])
    left = matrices(hand_rotations(right * [-1, 1, 1], "left"))
    np.testing.assert_allclose(left, mirror @ matrices(hand_rotations(right, "right")) @ mirror, atol=1e-9)
    angles = joint_angles_deg(hand_rotations(right, "right"), "right")
    np.testing.assert_allclose(joint_angles_deg(hand_rotations(right * [-1, 1, 1], "left"), "left"), angles, atol=1e-6)


def test_the_flat_hand_has_small_angles_and_points_ahead() -> None:
    angles = joint_angles_deg(hand_rotations(joints_mm("right", (0, 0, 400), curl_deg=0), "right"), "right")
    fingers = [j for j in range(4, 20) if j not in FINGER_TIPS]
    assert np.nanmax(np.abs(angles[fingers, 0])) < 12
    ahead, back = (
        turned(hand_rotations(joints_mm("right", (0, 0, 400), 0), "right"), axis) for axis in -np.eye(3)[[2, 1]]
    )
    assert ahead[WRIST] @ [0, -1, 0] > 0.97  # up
    assert back[WRIST] @ [0, 0, -1] > 0.97  # the palm to the camera


def test_absent_and_impossible_hands() -> None:
    hands = np.stack(
        [np.full((21, 3), np.nan), joints_mm("left", (0, 0, 400)), np.zeros((21, 3)), np.full((21, 3), 1e30)]
    )
    found = hand_rotations(hands, "left")
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1:]).all()
    np.testing.assert_allclose(np.linalg.norm(found[1], axis=-1), 1)
    assert hand_rotations(np.empty((0, 21, 3)), "left").shape == (0, 21, 4)


def test_confidence_is_that_of_the_less_sure_end() -> None:
    sure = np.ones(21)
    sure[[5, 12]] = 0.2, 0.4  # index 3, ring tip
    found = rotation_confidence(sure)
    assert found[[5, 6, 4]].tolist() == [0.2, 0.2, 0.2]
    assert found[[13, 12, 14]].tolist() == [0.4, 0.4, 1.0]
    assert found[WRIST] == pytest.approx(1.0)


def test_quaternions_are_scipys() -> None:
    a, b = Rotation.random(50, random_state=1), Rotation.random(50, random_state=2)
    x, y = a.as_quat(), b.as_quat()
    np.testing.assert_allclose(matrices(x), a.as_matrix(), atol=1e-12)
    assert angle_deg(from_matrices(a.as_matrix()), x).max() < 1e-5
    assert angle_deg(times(x, y), (a * b).as_quat()).max() < 1e-5
    np.testing.assert_allclose(turned(inverse(x), np.ones(3)), a.inv().apply(np.ones(3)), atol=1e-12)
    np.testing.assert_allclose(angle_deg(x, y), np.degrees((a.inv() * b).magnitude()), atol=1e-6)


def test_the_rest_hand_is_the_generators_mean() -> None:
    rng = np.random.default_rng(0)
    shapes = [sample_shape(rng) for _ in range(40)]
    palms = np.stack([shape.joints_mm[[WRIST, *FINGER_BASES]] - shape.joints_mm[WRIST] for shape in shapes])
    palm = palms.mean(axis=0) @ ASSET_FROM_OURS / np.linalg.norm(palms.mean(axis=0)[3])
    np.testing.assert_allclose(palm, PALM, atol=0.01)
    axes = -np.mean([[first[0][0] for first in rest_geometry(shape)] for shape in shapes], axis=0) @ ASSET_FROM_OURS
    cosines = (axes * FLEXION_AXES).sum(axis=1) / np.linalg.norm(axes, axis=1)
    assert np.degrees(np.arccos(cosines)).max() < 4.0
    assert np.abs(STRAIGHT_ABDUCTION_DEG).max() < 15


def test_tips_turn_with_their_last_bones() -> None:
    found = hand_rotations(joints_mm("right", (0, 0, 400)), "right")
    tips = np.array(FINGER_TIPS)
    np.testing.assert_array_equal(found[tips], found[tips + 1])

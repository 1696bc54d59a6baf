"""Keyframed motion and the story of the sample clip: smoothness, contact, repeatability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.geometry.pinhole import project
from engines.skeleton import FINGER_TIPS, SIDES
from training.synth.hand.contact import gap_mm, self_gap_mm
from training.synth.hand.model import HandSkeleton
from training.synth.hand.poses import WRIST_LOWER_DEG, WRIST_UPPER_DEG
from training.synth.hand.shape import HandShape, neutral_shape
from training.synth.story.keyframes import Story
from training.synth.story.keys import DURATION_S
from training.synth.story.motion import KeyedRotations, KeyedValues, Sway, bump, minimum_jerk, smooth_upper_envelope
from training.synth.story.scene import HEIGHT, INTRINSICS

RATE_HZ = 60
TIPS = [tip + offset for offset in (0, 21) for tip in FINGER_TIPS]


@pytest.fixture(scope="module")
def shape() -> HandShape:
    return neutral_shape()


@pytest.fixture(scope="module")
def story(shape: HandShape) -> Story:
    return Story(shape, seed=0)


@pytest.fixture(scope="module")
def skeletons(story: Story, shape: HandShape) -> list[tuple[HandSkeleton, HandSkeleton]]:
    times = np.arange(0, DURATION_S, 1 / RATE_HZ)
    return [tuple(state.skeleton(shape) for state in story.at(float(t))) for t in times]  # type: ignore[misc]


@pytest.fixture(scope="module")
def joints(skeletons: list[tuple[HandSkeleton, HandSkeleton]]) -> np.ndarray:
    """(T, 42, 3) mm."""
    return np.array([np.vstack([right.joints_mm, left.joints_mm]) for right, left in skeletons])


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    u = np.linspace(-0.2, 1.2, 2801)
    s = minimum_jerk(u)
    speed, acceleration = np.gradient(s, u), np.gradient(np.gradient(s, u), u)
    assert s[0] == 0 and s[-1] == 1
    assert speed.min() > -1e-9 and speed.max() == pytest.approx(1.875, abs=1e-3)
    assert np.abs(np.diff(acceleration)).max() < 0.1, "no step in acceleration"


def test_keyed_values_pass_through_their_keys() -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 4))
    track = KeyedValues([0.0, 0.5, 2.0, 2.5], values)
    for t, value in zip([-1.0, 0.5, 2.0, 9.0], values, strict=True):
        np.testing.assert_allclose(track.at(t), value)
    np.testing.assert_allclose(track.at(1.25), (values[1] + values[2]) / 2)


def test_keyed_rotations_take_the_great_arc() -> None:
    track = KeyedRotations([0.0, 1.0], [Rotation.identity(), Rotation.from_rotvec([0, 0, 1.0])])
    np.testing.assert_allclose(track.at(0.5).as_rotvec(), [0, 0, 0.5], atol=1e-9)
    np.testing.assert_allclose(track.at(7.0).as_rotvec(), [0, 0, 1.0], atol=1e-9)


@pytest.mark.parametrize("times", [[0.0, 0.0], [1.0, 0.5], [0.0]])
def test_keys_must_advance(times: list[float]) -> None:
    with pytest.raises(ValueError, match="increasing"):
        KeyedValues(times, np.zeros((len(times), 3)))


def test_sway_has_its_amplitude_and_is_slow() -> None:
    sway = Sway.sample(np.random.default_rng(1), np.full(60, 2.0))
    offsets = np.array([sway.at(t) for t in np.arange(0, 60, 0.05)])
    assert np.sqrt(np.mean(offsets**2)) == pytest.approx(2.0, rel=0.05)
    assert np.abs(np.diff(offsets, axis=0) / 0.05).max() < 2.0 * 2 * np.pi * 1.1 * np.sqrt(6)


def test_bump_and_envelope() -> None:
    assert bump(1.0, 2.0, 4.0, 0.5) == 0 and bump(3.0, 2.0, 4.0, 0.5) == 1 and bump(5.0, 2.0, 4.0, 0.5) == 0
    needed = np.zeros(100)
    needed[40:44] = [1, 5, 2, 4]
    envelope = smooth_upper_envelope(needed, 9)
    assert np.all(envelope >= needed - 1e-9)
    assert np.abs(np.diff(envelope)).max() < 1.2
    assert envelope[0] == 0 and envelope[-1] == 0


def test_story_moves_smoothly(joints: np.ndarray) -> None:
    velocity = np.diff(joints, axis=0) * RATE_HZ / 1000  # m/s
    speed = np.linalg.norm(velocity, axis=2)
    acceleration = np.linalg.norm(np.diff(velocity, axis=0) * RATE_HZ, axis=2)
    assert np.mean(speed[:, TIPS] > 1.0) < 0.02
    assert speed.max() < 2.0
    assert acceleration.max() < 50
    assert np.median(speed) > 0.05, "the hands do move"


def test_hands_touch_but_do_not_run_into_each_other(skeletons: list[tuple[HandSkeleton, HandSkeleton]]) -> None:
    gaps = np.array([gap_mm(right, left) for right, left in skeletons])
    assert gaps.min() > -5.0
    clasped = gaps[round(8.05 * RATE_HZ) : round(8.4 * RATE_HZ)]
    assert clasped.max() < -2.0, "real contact while clasped"
    crossing = slice(round(5.2 * RATE_HZ), round(6.7 * RATE_HZ))
    assert gaps[crossing].min() > 25, "one hand passes well in front of the other"


def test_fingers_stay_out_of_each_other(skeletons: list[tuple[HandSkeleton, HandSkeleton]]) -> None:
    assert min(self_gap_mm(hand) for pair in skeletons[::2] for hand in pair) > -7.0


def test_fingers_interlock_in_the_clasp(skeletons: list[tuple[HandSkeleton, HandSkeleton]]) -> None:
    right, left = (hand.joints_mm for hand in skeletons[round(8.2 * RATE_HZ)])
    tips = [4, 8, 12, 16]
    assert np.mean(right[tips, 0]) > np.mean(left[tips, 0]) + 20, "the tips have passed each other"
    across = right[7] - right[19]
    middle_joints = [6, 10, 14, 18]
    order = np.argsort(np.r_[right[middle_joints] @ across, left[middle_joints] @ across])
    assert np.all(np.diff(order // 4) != 0), "right and left fingers take turns"


def test_hands_cross_with_different_depths(joints: np.ndarray) -> None:
    at = round(6.0 * RATE_HZ)
    right, left = joints[at, :21].mean(axis=0), joints[at, 21:].mean(axis=0)
    assert right[0] > left[0] + 60, "the right hand is on the other side"
    assert left[2] - right[2] > 120, "and clearly nearer"
    before, after = joints[round(2 * RATE_HZ)], joints[round(9 * RATE_HZ)]
    for moment in (before, after):
        assert moment[:21, 0].mean() < moment[21:, 0].mean(), "apart, the person's right hand is left in the picture"


def test_wrists_stay_within_their_limits(story: Story) -> None:
    for t in np.arange(0, DURATION_S, 0.05):
        for state in story.at(float(t)):
            assert np.all(state.angles.wrist_deg > WRIST_LOWER_DEG + 1e-6), "forearm is not bent as far as it goes"
            assert np.all(state.angles.wrist_deg < WRIST_UPPER_DEG - 1e-6)
            assert state.side in SIDES


def test_story_is_repeatable(shape: HandShape) -> None:
    stories = [Story(shape, seed, step_s=1 / 8) for seed in (0, 0, 1)]
    for t in (0.9, 3.3, 8.2):
        one, two, three = (story.at(t)[0].skeleton(shape).joints_mm for story in stories)
        np.testing.assert_array_equal(one, two)
    assert np.abs(one - three).max() > 0.1


def test_forearms_end_outside_the_picture(skeletons: list[tuple[HandSkeleton, HandSkeleton]]) -> None:
    elbows = np.array([[right.elbow_mm, left.elbow_mm] for right, left in skeletons])
    below = project(elbows, INTRINSICS)[..., 1] - HEIGHT
    widest_px = 60.0 / elbows[..., 2] * INTRINSICS.fy
    assert np.all(below > widest_px)


def test_shipped_ground_truth_is_this_story(story: Story, shape: HandShape) -> None:
    with np.load(Path(__file__).parents[3] / "samples" / "two_hands.npz", allow_pickle=False) as stored:
        times, joints = stored["t_s"], stored["joints_cam_mm"]
    for frame in range(20, len(times), 40):
        told = np.vstack([state.skeleton(shape).joints_mm for state in story.at(float(times[frame]))])
        np.testing.assert_allclose(joints[frame], told, atol=0.1)

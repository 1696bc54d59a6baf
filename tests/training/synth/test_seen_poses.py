"""Poses that were seen: the stored ones, what is drawn near them, and the fit that found them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.errors import UserError
from engines.skeleton import WRIST
from training.synth.fit_poses import fit, fit_most_different, in_mm, labelled_hands, most_different
from training.synth.hand.contact import SELF_TOLERANCE_MM, self_gap_mm
from training.synth.hand.model import Placement, hand_skeleton
from training.synth.hand.poses import GESTURES, LOWER_DEG, UPPER_DEG, JointAngles
from training.synth.hand.seen import sample_seen, seen_poses, write_poses
from training.synth.hand.shape import neutral_shape

ANYWHERE = Placement(np.zeros(3), np.eye(3))


def pictured(angles: JointAngles, seed: int) -> np.ndarray:
    """(21, 3) a hand from a random side, x and y in pixels of some size, z in mm."""
    rng = np.random.default_rng(seed)
    joints = hand_skeleton(neutral_shape(), angles, ANYWHERE, "right").joints_mm
    turned = (joints - joints[WRIST]) @ Rotation.random(random_state=np.random.RandomState(seed)).as_matrix().T
    return _scaled(turned, rng.uniform(0.5, 2))


def _scaled(joints_mm: np.ndarray, px_per_mm: float) -> np.ndarray:
    return joints_mm * [px_per_mm, px_per_mm, 1.0] + [150, 120, 0]


def test_stored_poses_are_many_and_possible() -> None:
    poses = seen_poses()
    assert len(poses) > 200
    assert np.all(poses >= LOWER_DEG - 1) and np.all(poses <= UPPER_DEG + 1)
    assert np.median(np.linalg.norm(poses[:, None] - poses, axis=(2, 3))) > 60, "different from each other"


def test_most_of_what_is_drawn_can_be_made() -> None:
    rng, shape = np.random.default_rng(4), neutral_shape()
    drawn = [sample_seen(rng) for _ in range(60)]
    assert all(np.all((a.fingers_deg >= LOWER_DEG) & (a.fingers_deg <= UPPER_DEG)) for a in drawn)
    gaps = np.array([self_gap_mm(hand_skeleton(shape, a, ANYWHERE, "right")) for a in drawn])
    assert np.mean(gaps > SELF_TOLERANCE_MM) > 0.35


@pytest.mark.parametrize("name", ["relaxed", "fist", "two"])
def test_the_fit_finds_the_pose_of_a_hand_seen_from_any_side(name: str) -> None:
    shape = neutral_shape()
    for seed in range(2):
        seen = in_mm(pictured(GESTURES[name], seed), shape)
        found, error_mm = fit(seen, shape)
        assert error_mm < 2.0
        wanted, got = (hand_skeleton(shape, angles, ANYWHERE, "right").joints_mm for angles in (GESTURES[name], found))
        assert np.linalg.norm(wanted - got, axis=1).mean() < 5


def test_size_in_pixels_does_not_matter() -> None:
    shape = neutral_shape()
    joints = hand_skeleton(shape, GESTURES["open"], ANYWHERE, "right").joints_mm
    for px_per_mm in (0.4, 2.5):
        np.testing.assert_allclose(in_mm(_scaled(joints, px_per_mm), shape), joints - joints[WRIST], atol=0.5)


def test_chosen_hands_are_far_from_each_other() -> None:
    crowd = np.random.default_rng(0).normal(0, 0.01, (50, 2))
    rare = np.array([[3.0, 0], [0, 3.0]])
    assert {50, 51} <= set(most_different(np.concatenate([crowd, rare]), 3))


def test_left_hands_are_mirrored_and_half_known_ones_left_out(tmp_path: Path) -> None:
    hand = pictured(GESTURES["two"], 1)
    joints = np.full((2, 42, 3), np.nan)
    joints[0, 21:] = hand * [-1, 1, 1]
    joints[1, :21] = hand
    known = np.isfinite(joints[..., 2])
    known[1, 3] = False
    np.savez(tmp_path / "set.npz", joints_px=joints[..., :2], joint_depth_mm=joints[..., 2], depth_known=known)
    found = labelled_hands(tmp_path)
    np.testing.assert_allclose(found, hand[None], atol=1e-9)
    poses = fit_most_different(found, 5)
    assert len(poses) == 1
    write_poses(tmp_path / "poses.csv", poses)
    assert len((tmp_path / "poses.csv").read_text().split(",")) == 20


def test_a_folder_without_hands_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no shards of labelled hands"):
        labelled_hands(tmp_path)
    with pytest.raises(UserError, match="cannot be written"):
        write_poses(tmp_path / "nowhere" / "poses.csv", [GESTURES["open"]])

"""Every figure against a case worked out by hand, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, project
from training.evaluation.metrics import (
    aligned_errors,
    average_precision,
    end_point_error,
    handedness_share,
    hands_mm,
    joint_errors,
    mean_distance,
    mean_per_joint,
    mpjpe,
    procrustes_aligned,
    relative_root_error,
    share_of_distances,
    share_under,
)

CAMERA = Intrinsics(500.0, 480.0, 160.0, 120.0)
seeds = st.integers(0, 2**31)


def two_hands(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 60, (42, 3)) + [0, 0, 700]


def turned(seed: int) -> NDArray[np.float64]:
    """A rotation without reflection."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def test_mean_distance_and_share_by_hand() -> None:
    truth = np.zeros((1, 3, 2))
    found = np.array([[[3.0, 4.0], [0.0, 1.0], [np.nan, 0.0]]])
    assert mean_distance(found, truth) == pytest.approx(3.0)
    assert share_under(found, truth, 5.0) == pytest.approx(0.5)  # 5 is not under 5
    assert np.isnan(share_of_distances(np.array([np.nan]), 1.0))


def test_joint_error_by_hand() -> None:
    truth, found = np.zeros((42, 3)), np.zeros((42, 3))
    found[4] = [0, 3, 4]
    found[41] = [10, 0, 0]  # the left wrist is off: the whole left hand is off by as much, and the wrist by nothing
    valid = np.ones(42, bool)
    valid[5] = False
    errors = joint_errors(found, truth, valid)
    assert errors[4] == pytest.approx(5) and errors[0] == 0 and np.isnan(errors[5])
    np.testing.assert_allclose(errors[21:41], 10)
    assert errors[41] == 0


@given(seeds)
def test_a_hand_moved_as_a_whole_has_no_error(seed: int) -> None:
    truth = two_hands(seed)
    found = truth + np.repeat(np.random.default_rng(seed + 1).normal(0, 500, (2, 3)), 21, axis=0)
    np.testing.assert_allclose(joint_errors(found, truth, np.ones(42, bool)), 0, atol=1e-9)


@given(seeds, st.floats(0.1, 10))
def test_joint_errors_grow_with_the_scale(seed: int, scale: float) -> None:
    truth, found = two_hands(seed), two_hands(seed + 1)
    valid = np.ones(42, bool)
    np.testing.assert_allclose(
        joint_errors(scale * found, scale * truth, valid), scale * joint_errors(found, truth, valid)
    )


@given(seeds, st.floats(0.2, 5))
def test_procrustes_undoes_turn_scale_and_shift_of_each_hand(seed: int, scale: float) -> None:
    truth = two_hands(seed)
    found = np.concatenate([truth[:21] @ turned(seed) * scale + 9, truth[21:] @ turned(seed + 1) / scale - 5])
    np.testing.assert_allclose(aligned_errors(found, truth, np.ones(42, bool)), 0, atol=1e-6)


def test_procrustes_does_not_mirror() -> None:
    truth = two_hands(0)[:21]
    assert mean_distance(procrustes_aligned(truth[None] * [-1, 1, 1], truth[None]), truth[None]) > 10


def test_alignment_needs_three_joints() -> None:
    valid = np.zeros(42, bool)
    valid[[0, 5, 21, 22, 23]] = True
    errors = aligned_errors(two_hands(0), two_hands(1), valid)
    assert np.isnan(errors[:21]).all() and np.isfinite(errors[21:24]).all() and np.isnan(errors[24:]).all()


@given(seeds)
def test_alignment_never_makes_the_squared_error_larger(seed: int) -> None:
    truth, found = two_hands(seed), two_hands(seed + 1)
    valid = np.ones(42, bool)
    before, after = joint_errors(found, truth, valid)[:21], aligned_errors(found, truth, valid)[:21]
    assert (after**2).sum() <= (before**2).sum() + 1e-6


@given(seeds)
def test_lifting_the_labels_own_25d_gives_the_labels(seed: int) -> None:
    truth = two_hands(seed)
    root = truth[[20, 41], 2]
    found = hands_mm(project(truth, CAMERA), truth[:, 2] - np.repeat(root, 21), root, CAMERA)
    np.testing.assert_allclose(found, truth, atol=1e-9)


def test_mrrpe_by_hand() -> None:
    truth = np.zeros((42, 3))
    truth[20], truth[41] = [0, 0, 500], [100, 0, 600]
    pixels, depth = np.zeros((42, 2)), np.zeros(42)
    pixels[20], pixels[41] = [160, 120], [160 + 100 * 500 / 600, 120]
    assert relative_root_error(pixels, depth, 100.0, 500.0, truth, CAMERA) == pytest.approx(0, abs=1e-9)
    off = relative_root_error(pixels, depth, 112.0, 500.0, truth, CAMERA)  # 12 mm too far: 2 mm to the side as well
    assert off == pytest.approx(np.hypot(12, 2))
    depth[41] = 12  # what the network says of the wrist itself counts too
    assert relative_root_error(pixels, depth, 100.0, 500.0, truth, CAMERA) == pytest.approx(np.hypot(12, 2))


def test_mpjpe_is_the_mean_of_the_joints_means() -> None:
    errors = np.full((3, 42), np.nan)
    errors[:, 0] = [1, 2, 3]
    errors[0, 1] = 10
    np.testing.assert_allclose(mean_per_joint(errors)[:2], [2, 10])
    assert mpjpe(errors) == pytest.approx(6)  # not 4, the mean over all four errors
    assert np.isnan(mpjpe(errors[:0]))


def test_epe_takes_right_and_left_for_the_same_joints() -> None:
    errors = np.full((2, 42), np.nan)
    errors[0, :21], errors[1, 21:] = 4, 8
    assert end_point_error(errors) == pytest.approx(6)
    errors[1, 21] = np.nan
    assert end_point_error(errors) == pytest.approx((4 + 20 * 6) / 21)


def test_handedness_needs_both_flags_and_half_is_wrong() -> None:
    present = np.array([[True, False], [False, True], [True, True], [True, False]])
    probability = np.array([[0.9, 0.1], [0.6, 0.9], [0.9, 0.8], [0.9, 0.5]])
    assert handedness_share(probability, present) == pytest.approx(0.5)


def test_average_precision_by_hand() -> None:
    score = np.array([0.9, 0.8, 0.7, 0.6])
    positive = np.array([True, False, True, False])
    assert average_precision(score, positive) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(np.full(4, 0.5), positive) == pytest.approx(0.5)  # equal scores come in together
    assert np.isnan(average_precision(score, np.zeros(4, bool)))


@given(seeds)
def test_average_precision_depends_on_the_order_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, positive = rng.random(30), rng.random(30) < 0.4
    positive[0] = True
    order = rng.permutation(30)
    assert average_precision(score, positive) == pytest.approx(average_precision(score[order] ** 3, positive[order]))
    assert average_precision(positive.astype(float), positive) == pytest.approx(1)

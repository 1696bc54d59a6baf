"""Crops: round trips, the box definition, and pixels that land where the matrix says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.geometry.crop import BOX_FACTOR, Crop, crop_around, extract, transform, upright_angle_rad
from engines.geometry.pinhole import Intrinsics, backproject, project, rootnet_k
from engines.skeleton import BONES, MIDDLE_BASE, PARENTS, WRIST

angles = st.floats(-3.1, 3.1)
crops = st.builds(Crop, st.tuples(st.floats(-50, 700), st.floats(-50, 500)), st.floats(5, 900), angles)


@given(crops, st.sampled_from([160, 256]))
def test_matrices_are_inverse_and_keep_the_centre(crop: Crop, size: int) -> None:
    product = crop.crop_from_image(size) @ crop.image_from_crop(size)
    np.testing.assert_allclose(product, np.eye(3), atol=1e-9)
    middle = transform(crop.crop_from_image(size), np.array(crop.center_px))
    np.testing.assert_allclose(middle, (size - 1) / 2, atol=1e-9)


@given(angles)
def test_upright_crop_shows_the_hand_pointing_up(angle: float) -> None:
    direction = np.array([np.sin(angle), -np.cos(angle)])
    joints = np.tile([100.0, 100.0], (21, 1))
    joints[MIDDLE_BASE] = joints[WRIST] + 40 * direction
    crop = crop_around(joints, upright_angle_rad([joints]))
    shown = transform(crop.crop_from_image(160), joints)
    up = shown[MIDDLE_BASE] - shown[WRIST]
    assert abs(up[0]) < 1e-6
    assert up[1] < 0


def test_hands_pointing_against_each_other_keep_the_old_turn() -> None:
    one, other = np.zeros((21, 2)), np.zeros((21, 2))
    one[MIDDLE_BASE], other[MIDDLE_BASE] = [50.0, 0.0], [-50.0, 0.0]
    assert upright_angle_rad([one, other], fallback_rad=0.3) == 0.3


@given(st.integers(0, 1000), angles)
def test_box_is_the_extent_along_its_own_axes_times_the_factors(seed: int, angle: float) -> None:
    joints = np.random.default_rng(seed).uniform(0, 200, (21, 2))
    crop = crop_around(joints, angle)
    shown = transform(crop.crop_from_image(256), joints)
    assert np.ptp(shown, axis=0).max() == pytest.approx(256 / BOX_FACTOR)


@pytest.mark.parametrize("side", [60.0, 200.0, 900.0])
def test_extract_puts_a_dot_where_the_matrix_says(side: float) -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    crop = Crop((640.0, 350.0), side, 0.4)
    spot = transform(crop.image_from_crop(160), np.array([100.0, 60.0]))
    cv2.circle(image, (round(spot[0]), round(spot[1])), max(2, round(side / 40)), (255, 255, 255), -1)
    shown = extract(image, crop, 160)[..., 0].astype(float)
    weights = shown / shown.sum()
    center = [float((weights.sum(0) * np.arange(160)).sum()), float((weights.sum(1) * np.arange(160)).sum())]
    np.testing.assert_allclose(center, [100, 60], atol=1.0 if side > 100 else 2.0)


@pytest.mark.parametrize("shape", [(1, 1), (4320, 7680), (3, 2000)])
def test_extract_takes_any_picture(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    crop = Crop((shape[1] / 2, shape[0] / 2), float(max(shape)))
    assert extract(image, crop, 160).shape == (160, 160, 3)


@given(st.integers(0, 1000))
def test_projection_round_trip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    intrinsics = Intrinsics(*rng.uniform(200, 2000, 2), *rng.uniform(100, 900, 2))
    points = rng.uniform([-300, -300, 200], [300, 300, 1500], (21, 3))
    back = backproject(project(points, intrinsics), points[:, 2], intrinsics)
    np.testing.assert_allclose(back, points, rtol=1e-9)


def test_rootnet_k_is_the_distance_of_a_300_mm_square_that_fills_the_box() -> None:
    assert rootnet_k(150.0, 500.0, 500.0) == pytest.approx(1000.0)


def test_every_bone_chain_ends_at_the_wrist() -> None:
    assert len(BONES) == 20
    for start in range(20):
        joint, steps = start, 0
        while joint != WRIST:
            joint, steps = PARENTS[joint], steps + 1
        assert steps <= 4


def test_no_texture_turns_into_noise_in_a_crop_twice_as_large() -> None:
    """Stripes a pixel wide are grey from where a crop has two pixels for one of the network's."""
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    for side in (325.0, 350.0, 399.0):
        assert extract(stripes, Crop((200.0, 200.0), side), 160)[20:-20, 20:-20].std() < 20

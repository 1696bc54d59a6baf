"""Depths along the line of sight through a crop: the inverse of themselves, blind to where the crop was cut, and what
training teaches is what the program undoes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.geometry.crop import Crop, transform
from engines.geometry.pinhole import Intrinsics, project, rootnet_k
from engines.geometry.ray_depth import axis_from_ray, shares_along, stretch, with_axis_depths
from engines.output import NetworkOutput
from engines.skeleton import WRIST, WRISTS
from engines.spec import LITE, PAPER, PAPER_ARGMAX
from realtime.camera_space.bone_lengths import bone_lengths, hand_length
from realtime.camera_space.closed_form import TYPICAL_HAND_MM
from tests.support.small_bank import SIZE_PX, hand_mm, write_shard
from training.banks.bank import HandBank, load_bank
from training.lite.batch import Stored, random_crops
from training.lite.crop_places import NO_NOISE, CropNoise

CAMERA = Intrinsics(600.0, 610.0, 319.5, 239.5)


def hands_mm(x_mm: float = 0.0, y_mm: float = 0.0) -> NDArray[np.float64]:
    """(42, 3) both hands about half a metre away."""
    rng = np.random.default_rng(4)
    return np.concatenate([hand_mm(rng, np.array([x_mm + side, y_mm, 520.0])) for side in (-70.0, 60.0)])


def relative(depth: NDArray) -> NDArray[np.float64]:
    """(42,) to each hand's wrist."""
    return depth - np.repeat(depth[list(WRISTS)], 21)


def ray_from_axis(relative_mm: NDArray, shares: NDArray, wrist_mm: NDArray) -> NDArray[np.float64]:
    """The inverse of `axis_from_ray`."""
    wrists, own = np.repeat(wrist_mm, 21), np.repeat(shares[list(WRISTS)], 21)
    return shares * (wrists + relative_mm) - own * wrists


@given(st.floats(-350, 350), st.floats(-250, 250))
def test_there_and_back_changes_nothing(x_mm: float, y_mm: float) -> None:
    joints = hands_mm(x_mm, y_mm)
    pixels, wrists = project(joints, CAMERA), joints[list(WRISTS), 2]
    shares = shares_along(pixels, pixels.mean(axis=0), CAMERA)
    along = ray_from_axis(relative(joints[:, 2]), shares, wrists)
    np.testing.assert_allclose(axis_from_ray(along, shares, wrists), relative(joints[:, 2]), atol=1.0e-6)


def test_a_hand_that_is_carried_around_the_camera_keeps_its_depths() -> None:
    """Turning the hand and the crop's line of sight together changes what is seen, up to the turn of the picture."""
    joints = hands_mm()
    middle = joints.mean(axis=0)
    joints = joints @ _turn_onto_axis(middle).T  # its middle lies on the axis
    turn = cv2.Rodrigues(np.array([0.25, -0.45, 0.0]))[0]
    found = []
    for moved in (joints, joints @ turn.T):
        center = project(moved.mean(axis=0), CAMERA)
        shares = shares_along(project(moved, CAMERA), center, CAMERA)
        found.append(ray_from_axis(relative(moved[:, 2]), shares, moved[list(WRISTS), 2]))
    np.testing.assert_allclose(found[0], found[1], atol=1.0e-6)
    np.testing.assert_allclose(found[0], relative(joints[:, 2]), atol=1.0e-6)
    assert np.abs(relative((joints @ turn.T)[:, 2]) - found[0]).max() > 20, "along the axis they do change"


def _turn_onto_axis(point: NDArray) -> NDArray[np.float64]:
    """(3, 3) the rotation that brings a point onto the z axis."""
    forward = point / np.linalg.norm(point)
    across = np.cross([0.0, 1.0, 0.0], forward)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(forward, across), forward])


@pytest.mark.parametrize("noise", [NO_NOISE, CropNoise(empty=0.0, focus=0.0), CropNoise(flip=1.0, empty=0.0)])
def test_what_training_teaches_is_what_the_program_undoes(bank: HandBank, noise: CropNoise) -> None:
    size = 96
    stored = Stored(
        torch.from_numpy(bank.pictures.copy()),
        torch.from_numpy(bank.joints_cam_mm),
        torch.from_numpy(bank.hand_present).float(),
        torch.from_numpy(bank.intrinsics_px),
        torch.from_numpy(bank.masks),
        torch.ones(len(bank), 5),
    )
    _, labels = random_crops(stored, size, noise, torch.Generator().manual_seed(5))
    flipped = noise.flip == 1.0
    for k in np.nonzero(bank.hand_present.all(axis=1))[0]:
        camera = Intrinsics(*map(float, bank.intrinsics_px[k]))
        truth = bank.joints_cam_mm[k].astype(np.float64)
        # what is taught is the same picture of hands of typical length
        truth *= 2 * TYPICAL_HAND_MM / sum(hand_length(bone_lengths(hand)) for hand in (truth[:21], truth[21:]))
        if flipped:
            truth = np.concatenate([truth[21:], truth[:21]]) * [-1.0, 1.0, 1.0]
            camera = replace(camera, cx=SIZE_PX - 1 - camera.cx)
        elif noise is not NO_NOISE:
            continue  # who was mirrored is not told
        pixels = project(truth, camera)
        crop = _crop_of(labels.joints_crop_px[k].numpy().astype(np.float64), pixels, size)
        k_mm = float(rootnet_k(crop.side_px, camera.fx, camera.fy))
        output = NetworkOutput(
            joints_crop_px=labels.joints_crop_px[k].numpy(),
            joint_depth_mm=labels.joint_depth_mm[k].numpy(),
            joint_confidence=np.ones(42, np.float32),
            hand_probability=np.ones(2, np.float32),
            left_minus_right_root_mm=float(labels.left_minus_right_root_mm[k]),
            root_depth_factor=labels.gamma[k].numpy(),
        )
        found = with_axis_depths(output, crop, size, camera)
        np.testing.assert_allclose(found.joint_depth_mm, relative(truth[:, 2]), atol=0.05)
        assert found.left_minus_right_root_mm == pytest.approx(truth[21 + WRIST, 2] - truth[WRIST, 2], abs=0.05)
        np.testing.assert_allclose(found.root_depth_factor * k_mm, truth[list(WRISTS), 2], rtol=1.0e-4)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 40.0])
def test_what_faces_the_camera_is_as_far_as_its_size_says_wherever_it_is_in_the_picture(degrees: float) -> None:
    """A small square of 30 mm at 500 mm, turned about the camera: k, a tenth of it for its size, and the stretch."""
    square = np.array([[-15.0, -15, 500], [15, -15, 500], [15, 15, 500], [-15, 15, 500]])
    turn = cv2.Rodrigues(np.radians([0.6 * degrees, 0.8 * degrees, 0.0]))[0]
    pixels = project(square @ turn.T, CAMERA)
    center = project(np.array([0.0, 0.0, 500.0]) @ turn.T, CAMERA)
    side_px = float(np.sqrt(cv2.contourArea(pixels.astype(np.float32))))
    k_mm = float(rootnet_k(side_px, CAMERA.fx, CAMERA.fy)) / 10
    assert k_mm * stretch(center, CAMERA) == pytest.approx(500, rel=2.0e-3)
    assert degrees == 0 or k_mm < 0.95 * 500, "without the stretch it would be too near"


def _crop_of(in_crop: NDArray, pixels: NDArray, size: int) -> Crop:
    """The crop in which joints at `pixels` (42, 2) of the picture are at `in_crop` (42, 2): a similarity, fitted."""
    a, b = in_crop - in_crop.mean(axis=0), pixels - pixels.mean(axis=0)
    turned = complex(*(np.sum(a * b), np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]))) / np.sum(a * a)
    crop = Crop((0.0, 0.0), abs(turned) * size, float(np.angle(turned)))
    offset = (pixels - transform(crop.image_from_crop(size), in_crop)).mean(axis=0)
    found = replace(crop, center_px=(float(offset[0]), float(offset[1])))
    np.testing.assert_allclose(transform(found.image_from_crop(size), in_crop), pixels, atol=0.02)
    return found


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> HandBank:
    root: Path = tmp_path_factory.mktemp("bank")
    write_shard(root, "1", 24, seed=1)
    return load_bank(root, ["1"], SIZE_PX, root / "cache")


def test_a_hand_that_is_not_there_gives_numbers_all_the_same() -> None:
    wide = np.full((42, 2), 1.0e5)
    assert (shares_along(wide, np.array([-1.0e5, 0.0]), CAMERA) > 0).all()


def test_only_lite_has_them() -> None:
    assert LITE.depth_along_ray
    assert not (PAPER.depth_along_ray or PAPER_ARGMAX.depth_along_ray)

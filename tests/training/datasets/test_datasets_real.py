"""Readers against real samples: 3D joints fall on 2D ones, hands measure like hands. Skipped without the samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engines.geometry.crop import transform
from engines.geometry.pinhole import project
from engines.skeleton import BONES, HAND_SLICES, SIDES
from training.datasets.sample import LabelledSample, read_picture
from training.registry import load_split

FOLDERS = {
    "interhand26m": ("eval/interhand26m", 4),
    "rhd": ("eval/rhd", 3),
    "freihand": ("eval/freihand", 8),
    "onehand10k": ("eval/onehand10k", 4),
    "webcam": ("eval/webcam_left_hand", 200),
}


def read(shared_data: Path, name: str) -> Sequence[LabelledSample]:
    folder = shared_data / FOLDERS[name][0]
    if not folder.is_dir():
        pytest.skip(f"needs the optional {FOLDERS[name][0]}")
    return load_split(name, folder, "test")


@pytest.mark.parametrize("name", list(FOLDERS))
def test_pictures_open_and_joints_lie_in_them_and_in_the_box(shared_data: Path, name: str) -> None:
    samples = read(shared_data, name)
    assert len(samples) == FOLDERS[name][1]
    for sample in samples[:8]:
        height, width = read_picture(sample.picture).shape[:2]
        joints = sample.joints_px[sample.joint_px_valid]
        assert np.all((joints >= -0.5) & (joints <= [width, height]))
        in_crop = transform(sample.crop().crop_from_image(256), joints)
        assert np.all((in_crop > 0) & (in_crop < 255))


@pytest.mark.parametrize("name", ["interhand26m", "rhd", "webcam"])
def test_3d_joints_project_onto_the_2d_ones_and_bones_have_a_hands_length(shared_data: Path, name: str) -> None:
    for sample in read(shared_data, name)[:8]:
        assert sample.intrinsics is not None
        valid = sample.joint_cam_valid
        off = project(sample.joints_cam_mm[valid], sample.intrinsics) - sample.joints_px[valid]
        assert np.abs(off).max() < 0.2
        for hand, side in enumerate(SIDES):
            if sample.hand_present[hand]:
                joints = sample.joints_cam_mm[HAND_SLICES[side]]
                lengths = np.array([np.linalg.norm(joints[a] - joints[b]) for a, b in BONES])
                assert np.all((lengths > 8) & (lengths < 110))
                assert lengths[[3, 7, 11, 15, 19]].min() > 25  # from the knuckles to the wrist: the longest bones


def test_interhand_boxes_are_the_extent_of_the_joints_times_1_2(shared_data: Path) -> None:
    for sample in read(shared_data, "interhand26m"):
        extent = np.ptp(sample.joints_px[sample.joint_px_valid], axis=0)
        np.testing.assert_allclose(sample.box_px[2:], 1.2 * extent, rtol=0.02)


def test_interhand_samples_are_two_pairs_a_left_and_a_right_hand(shared_data: Path) -> None:
    samples = read(shared_data, "interhand26m")
    assert [(s.annotation_id, s.hand_present.tolist()) for s in samples] == [
        (326750, [True, True]),
        (286291, [True, True]),
        (680801, [False, True]),
        (471953, [True, False]),
    ]


def test_the_synthetic_bank_has_its_joints_on_the_hands(shared_data: Path) -> None:
    root = shared_data / "synthetic_bank"
    if not root.is_dir():
        pytest.skip("needs the optional synthetic_bank")
    samples = load_split("synthetic", root, "205")
    assert len(samples) == 2000
    inside = []
    for sample in samples[::100]:
        picture = read_picture(sample.picture)
        x, y = np.rint(sample.joints_px[sample.joint_px_valid]).astype(int).T
        inside.append((np.ptp(picture[y, x].astype(int), axis=1) > 6) | (picture[y, x].max(axis=1) < 100))
    assert np.mean(np.concatenate(inside)) > 0.9  # not the grey ground

"""Whole samples and banks of them: drawn, written, stopped, resumed, read. All of it needs OpenGL and skips without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from training.banks.bank import load_bank
from training.lite.crop_places import CropNoise, random_places
from training.synth.hand.visibility import MASK_PX
from training.synth.render.render_bank import check_drawing, render_bank
from training.synth.render.shards import BankPlan, missing, prepare
from training.synth.scene.views import PICTURE_PX

if TYPE_CHECKING:
    from training.synth.render.sampler import Sample

COUNT, SHARD_SIZE, SEED = 7, 3, 5


@pytest.fixture(scope="module", autouse=True)
def _drawing() -> None:
    pytest.importorskip("moderngl", reason="moderngl is not installed (make setup EXTRAS=synth)")
    try:
        check_drawing()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    from training.synth.render.sampler import Sampler

    with Sampler(SEED) as sampler:
        return [sampler.sample(index) for index in range(12)]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bank")
    render_bank(root, COUNT, SEED, workers=2, backgrounds=None, shard_size=SHARD_SIZE)
    return root


def test_visible_joints_lie_on_the_hand(samples: list[Sample]) -> None:
    for sample in samples:
        shown = sample.joint_visible
        assert not shown[~np.repeat(sample.present, 21)].any()
        x, y = np.rint(project(sample.joints_cam_mm[shown], sample.intrinsics)).astype(int).T
        assert np.all(sample.picture[y, x, 3] > 127)
        for hand in np.flatnonzero(sample.present):
            assert shown[21 * hand : 21 * hand + 20].mean() >= 0.3


def test_masks_name_the_hand_under_each_visible_joint(samples: list[Sample]) -> None:
    right_places = []
    for sample in samples:
        assert sample.mask.shape == (MASK_PX, MASK_PX) and sample.mask.max() <= 3
        cell = PICTURE_PX / MASK_PX
        for hand in np.flatnonzero(sample.present):
            shown = np.flatnonzero(sample.joint_visible[21 * hand : 21 * hand + 21]) + 21 * hand
            x, y = ((project(sample.joints_cam_mm[shown], sample.intrinsics) + 0.5) / cell).astype(int).T
            right_places.append(np.mean(sample.mask[y, x] == hand + 1))
        for hand in np.flatnonzero(~sample.present):
            assert not np.any(sample.mask == hand + 1)
    assert np.mean(right_places) > 0.85


def test_few_crops_of_a_tracker_see_an_arm_cut_off(samples: list[Sample]) -> None:
    """In half of all crops the pictures of 320 px with a larger hand did."""
    rng, cut = torch.Generator().manual_seed(0), []
    for sample in samples:
        places = torch.from_numpy(project(sample.joints_cam_mm.clip([-1e9, -1e9, 1]), sample.intrinsics)).float()
        present = torch.from_numpy(sample.present).float()
        crops = random_places(places.expand(40, -1, -1), present.expand(40, -1), CropNoise(), rng)
        cut.append(_shows_cut(_ends_of_arms(sample.mask), *(values.numpy() for values in crops)))
    assert np.mean(cut) < 0.13


def _ends_of_arms(mask: np.ndarray) -> np.ndarray:
    """(N, 2) px of the picture's border where an arm or hand leaves it."""
    along = (np.arange(MASK_PX) + 0.5) * PICTURE_PX / MASK_PX
    near, far, hand = np.zeros(MASK_PX), np.full(MASK_PX, float(PICTURE_PX)), (mask == 1) | (mask == 2)
    sides = ((along, near, hand[0]), (along, far, hand[-1]), (near, along, hand[:, 0]), (far, along, hand[:, -1]))
    return np.concatenate([np.stack([x, y], axis=1)[there] for x, y, there in sides])


def _shows_cut(ends: np.ndarray, center: np.ndarray, side: np.ndarray, angle: np.ndarray) -> float:
    """Share of the crops (centre (B, 2), side and angle (B,)) inside which one of the points lies."""
    if not len(ends):
        return 0.0
    off = ends[None] - center[:, None]
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = np.stack([off[..., 0] * c + off[..., 1] * s, off[..., 1] * c - off[..., 0] * s], axis=-1)
    return float(np.any(np.all(np.abs(turned) < side[:, None, None] / 2, axis=-1), axis=1).mean())


def test_cut_outs_have_smooth_edges_and_room_around(samples: list[Sample]) -> None:
    for sample in samples:
        alpha = sample.picture[..., 3]
        assert alpha.shape == (PICTURE_PX, PICTURE_PX)
        assert np.mean(alpha == 255) > 0.05
        assert sample.recipe.behind or np.mean(alpha == 0) > 0.1
        assert np.any((alpha > 0) & (alpha < 255))
        assert not sample.picture[alpha == 0].any()
        assert 5 < sample.picture[alpha == 255][:, :3].mean() < 250


def test_a_sample_does_not_depend_on_those_before_it(samples: list[Sample]) -> None:
    from training.synth.render.sampler import Sampler

    with Sampler(SEED) as sampler:
        again = sampler.sample(9)
    np.testing.assert_array_equal(again.picture, samples[9].picture)
    np.testing.assert_array_equal(again.joints_cam_mm, samples[9].joints_cam_mm)


def test_views_show_the_same_hands_otherwise_and_follow_from_their_index() -> None:
    from training.synth.render.sampler import Sampler

    with Sampler(SEED, modes=("fist_on_fist", "single")) as one, Sampler(SEED, modes=("fist_on_fist",), views=2) as two:
        alone = one.sample(0)
        another, first = two.sample(1), two.sample(0)
        again = two.sample(1)
    np.testing.assert_array_equal(first.picture, alone.picture)
    np.testing.assert_array_equal(another.picture, again.picture)
    np.testing.assert_allclose(_distances(another.joints_cam_mm), _distances(first.joints_cam_mm), atol=0.01)
    moved = np.linalg.norm(another.joints_cam_mm - first.joints_cam_mm, axis=1)
    assert moved.min() > 10 and another.tone != first.tone and another.recipe.view == first.recipe.view


def _distances(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[:, None] - joints[None], axis=-1)


def test_bank_reads_back_what_was_drawn(bank: Path, samples: list[Sample], tmp_path: Path) -> None:
    read = load_bank(bank, ["000", "001", "002"], PICTURE_PX, tmp_path)
    assert len(read) == COUNT
    for index, sample in enumerate(samples[:COUNT]):
        np.testing.assert_allclose(read.joints_cam_mm[index], sample.joints_cam_mm)
        np.testing.assert_array_equal(read.hand_present[index], sample.present)
        stored, drawn = Intrinsics(*read.intrinsics_px[index]), sample.intrinsics
        np.testing.assert_allclose(stored.as_array(), drawn.as_array(), rtol=1e-5, atol=1e-3)
        np.testing.assert_array_equal(read.pictures[index, 3], sample.picture[..., 3])
        solid = sample.picture[..., 3] == 255
        lost = read.pictures[index, :3].transpose(1, 2, 0)[solid].astype(int) - sample.picture[..., :3][solid]
        assert np.abs(lost).mean() < 5


def test_reduced_pictures_keep_joints_on_hands(bank: Path, tmp_path: Path) -> None:
    read = load_bank(bank, ["000"], 176, tmp_path)
    with np.load(bank / "shard-000.npz", allow_pickle=False) as labels:
        visible = labels["joint_visible"] > 0
    for index in range(len(read)):
        shown = read.joints_cam_mm[index][visible[index]]
        x, y = np.rint(project(shown, Intrinsics(*read.intrinsics_px[index]))).astype(int).T
        assert np.mean(read.pictures[index, 3, y, x] > 128) > 0.95


def test_labels_have_their_documented_form(bank: Path) -> None:
    with np.load(bank / "shard-001.npz", allow_pickle=False) as labels:
        assert labels["joints_cam_mm"].shape == (3, 42, 3) and labels["joints_cam_mm"].dtype == np.float32
        assert labels["joint_valid"].shape == labels["joint_visible"].shape == (3, 42)
        assert labels["visible_share"].shape == labels["hand_present"].shape == (3, 2)
        np.testing.assert_array_equal(labels["sample_index"], [3, 4, 5])
        assert all(labels[name].dtype.kind == "U" for name in ("mode", "view", "style", "age", "held", "behind"))
        assert labels["mask"].shape == (3, MASK_PX, MASK_PX) and labels["mask"].dtype == np.uint8
        assert labels["motion_px"].shape == (3,) and labels["motion_px"].dtype == np.float32
        single = labels["mode"] == "single"
        np.testing.assert_array_equal(labels["hand_present"].sum(axis=1) == 1, single)
        assert np.isinf(labels["gap_mm"][single]).all()


def test_finished_shards_stay_and_a_half_one_is_done_anew(bank: Path) -> None:
    plan = BankPlan(SEED, SHARD_SIZE, ())
    assert missing(bank, plan, COUNT) == []
    before = {path.name: path.read_bytes() for path in bank.iterdir()}
    kept = (bank / "shard-000.tar").stat().st_mtime_ns
    (bank / "shard-001.npz").unlink()
    (bank / "shard-002.tar").rename(bank / "shard-002.tar.partial")
    assert missing(bank, plan, COUNT) == [range(3, 6), range(6, 7)]
    render_bank(bank, COUNT, SEED, workers=1, backgrounds=None, shard_size=SHARD_SIZE)
    assert (bank / "shard-000.tar").stat().st_mtime_ns == kept
    for name in ("shard-001.tar", "shard-002.tar", "sheet-001.jpg"):
        assert (bank / name).read_bytes() == before[name], "one worker draws what two have drawn"
    assert not list(bank.glob("*.partial*"))
    assert missing(bank, plan, COUNT + 1) == [range(6, 8)]
    whole = (bank / "shard-000.npz").read_bytes()
    (bank / "shard-000.npz").write_bytes(whole[:200])
    assert missing(bank, plan, COUNT) == [range(0, 3)], "a damaged shard is rendered again"
    (bank / "shard-000.npz").write_bytes(whole)


def test_sheet_can_be_looked_at(bank: Path) -> None:
    sheet = cv2.imread(str(bank / "sheet-000.jpg"))
    assert sheet is not None and sheet.shape == (240, 8 * 240, 3)
    assert sheet[:, : 3 * 240].std() > 10


def test_another_plan_is_refused_in_one_line(bank: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no multiple of --views 2: take 2"):
        render_bank(tmp_path, COUNT, SEED, workers=1, backgrounds=None, shard_size=SHARD_SIZE, views=2)
    with pytest.raises(UserError, match="another seed") as caught:
        prepare(bank, BankPlan(SEED + 1, SHARD_SIZE, ()))
    assert "\n" not in str(caught.value)
    (tmp_path / "shard-100.npz").write_bytes(b"")
    with pytest.raises(UserError, match="did not make"):
        prepare(tmp_path, BankPlan(SEED, SHARD_SIZE, ()))
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot write"):
        prepare(tmp_path / "file", BankPlan(SEED, SHARD_SIZE, ()))

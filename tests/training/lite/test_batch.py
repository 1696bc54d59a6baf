"""Training crops: pictures and labels move together, and the light between them stays a picture."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.geometry.crop import crop_around, upright_angle_rad
from engines.geometry.pinhole import rootnet_k
from engines.networks.decode import heat_from_crop
from realtime.camera_space.bone_lengths import bone_lengths, hand_length
from realtime.camera_space.closed_form import TYPICAL_HAND_MM
from tests.support.small_bank import FOCAL_PX, SIZE_PX, write_backgrounds, write_shard
from training.banks.bank import HandBank, load_bank
from training.lite.augment import Augmenter
from training.lite.backgrounds import load_backgrounds
from training.lite.batch import Labels, Stored, random_crops
from training.lite.crop_places import NO_NOISE, CropNoise
from training.lite.jpeg import jpeg_artefacts


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> HandBank:
    root = tmp_path_factory.mktemp("bank")
    write_shard(root, "1", 24, seed=1)
    return load_bank(root, ["1"], SIZE_PX, root / "cache")


def stored(bank: HandBank) -> Stored:
    return Stored(
        torch.from_numpy(bank.pictures.copy()),
        torch.from_numpy(bank.joints_cam_mm),
        torch.from_numpy(bank.hand_present).float(),
        torch.from_numpy(bank.intrinsics_px),
        torch.from_numpy(bank.masks.copy()),
        torch.ones(len(bank), 5),
    )


def test_bank_reads_pictures_and_hands(bank: HandBank) -> None:
    assert bank.pictures.shape == (24, 4, SIZE_PX, SIZE_PX)
    assert bank.hand_present.sum(axis=1).tolist() == [2 if i % 3 == 0 else 1 for i in range(24)]
    assert (bank.pictures[:, :3].max(axis=1) <= bank.pictures[:, 3]).all()  # premultiplied


@pytest.mark.parametrize(
    "noise", [NO_NOISE, CropNoise(empty=0.0, focus=0.0), CropNoise(flip=1.0, empty=0.0, focus=1.0)]
)
def test_labels_lie_on_what_is_drawn(bank: HandBank, noise: CropNoise) -> None:
    """Every joint is a disc in the stored picture: its label must lie on opaque pixels after any move."""
    crops, labels = random_crops(stored(bank), 96, noise, torch.Generator().manual_seed(3))
    on_disc = []
    for crop, joints, weight in zip(crops, labels.joints_crop_px, labels.place_weight, strict=True):
        for x, y in joints[weight > 0].round().long().clamp(0, 95):
            on_disc.append(float(crop[3, y, x]) > 0.4)
    assert len(on_disc) > 300
    assert np.mean(on_disc) > 0.99


def test_a_crop_without_noise_is_the_trackers_own(bank: HandBank) -> None:
    _, labels = random_crops(stored(bank), 160, NO_NOISE, torch.Generator().manual_seed(0))
    joints, present = bank.joints_cam_mm[1], bank.hand_present[1]
    hand = 0 if present[0] else 1
    rows = slice(21 * hand, 21 * hand + 21)
    projected = FOCAL_PX * joints[rows, :2] / joints[rows, 2:] + SIZE_PX / 2 - 0.5
    crop = crop_around(projected, upright_angle_rad([projected]))
    expected = projected @ crop.crop_from_image(160)[:2, :2].T + crop.crop_from_image(160)[:2, 2]
    np.testing.assert_allclose(labels.joints_crop_px[1, rows].numpy(), expected, atol=1.0e-2)
    sight = np.append((np.array(crop.center_px) - SIZE_PX / 2 + 0.5) / FOCAL_PX, 1.0)
    along = joints[rows][20] @ sight / np.linalg.norm(sight) * TYPICAL_HAND_MM / hand_length(bone_lengths(joints[rows]))
    gamma = along / rootnet_k(crop.side_px, FOCAL_PX, FOCAL_PX) / np.linalg.norm(sight) ** 1.5
    assert float(labels.gamma[1, hand]) == pytest.approx(gamma, rel=1.0e-4)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_masks_lie_under_their_hands(bank: HandBank, flip: float) -> None:
    """Most of a hand's joints, and few of the other's, lie within its outline, also mirrored and turned."""
    noise = CropNoise(shift=0.1, roll_deg=40, flip=flip, empty=0.2)
    crops, labels = random_crops(stored(bank), 224, noise, torch.Generator().manual_seed(3))
    masks = labels.hand_masks
    assert masks.shape == (len(bank), 2, 28, 28)
    assert labels.mask_weight.tolist() == [1] * len(bank)
    assert torch.equal(masks.flatten(1).any(1), crops.flatten(1).any(1)), "an emptied crop shows no hand"
    x, y = heat_from_crop(labels.joints_crop_px, 8).round().long().clamp(0, 27).unbind(-1)
    at_joints = masks[torch.arange(len(bank))[:, None], :, y, x].unflatten(1, (2, 21))  # sample, hand, joint, mask
    seen = labels.place_weight.unflatten(1, (2, 21)) > 0
    own = torch.stack([at_joints[:, hand, :, hand] for hand in (0, 1)], 1)[seen]
    other = torch.stack([at_joints[:, hand, :, 1 - hand] for hand in (0, 1)], 1)[seen]
    assert float(own.mean()) > 0.7, "tips lie on the outline"
    assert float(other.mean()) < 0.02


def test_a_bank_without_masks_teaches_none(bank: HandBank, tmp_path: Path) -> None:
    write_shard(tmp_path, "1", 6, seed=1)
    labels = dict(np.load(tmp_path / "shard-1.npz"))
    del labels["mask"]
    np.savez(tmp_path / "shard-1.npz", **labels)
    older = load_bank(tmp_path, ["1"], SIZE_PX, tmp_path / "cache")
    _, labels = random_crops(stored(older), 96, NO_NOISE, torch.Generator().manual_seed(0))
    assert labels.mask_weight.tolist() == [0] * 6
    assert not labels.hand_masks.any()


def test_what_a_crop_cannot_show_is_not_asked(bank: HandBank) -> None:
    """A person of another size, as much nearer or farther, gives the same picture: the same labels."""
    rows = stored(bank)
    larger = replace(rows, joints_cam_mm=rows.joints_cam_mm * 1.3)
    of, of_larger = (random_crops(r, 96, NO_NOISE, torch.Generator().manual_seed(0))[1] for r in (rows, larger))
    for field in fields(Labels):
        torch.testing.assert_close(getattr(of_larger, field.name), getattr(of, field.name), atol=2.0e-3, rtol=1.0e-4)


def test_mirroring_exchanges_the_hands(bank: HandBank) -> None:
    mirrored = CropNoise(shift=0, log_scale=0, roll_deg=0, flip=1.0, focus=0, empty=0)
    plain, labels = random_crops(stored(bank), 96, NO_NOISE, torch.Generator().manual_seed(0))
    flipped, turned = random_crops(stored(bank), 96, mirrored, torch.Generator().manual_seed(0))
    torch.testing.assert_close(flipped, plain.flip(-1), atol=0.02, rtol=0)
    torch.testing.assert_close(turned.hand_present, labels.hand_present.flip(1))
    torch.testing.assert_close(turned.left_minus_right_root_mm, -labels.left_minus_right_root_mm)


def test_emptied_crops_hold_no_hand(bank: HandBank) -> None:
    crops, labels = random_crops(stored(bank), 64, CropNoise(empty=1.0), torch.Generator().manual_seed(0))
    assert float(crops.abs().max()) == 0
    assert float(labels.hand_present.sum() + labels.place_weight.sum() + labels.pair.sum()) == 0


def test_augmented_pictures_are_pictures_and_repeatable(bank: HandBank, tmp_path: Path) -> None:
    write_backgrounds(tmp_path)
    backgrounds = load_backgrounds(tmp_path)

    def draw() -> torch.Tensor:
        rng = torch.Generator().manual_seed(7)
        crops, _ = random_crops(stored(bank), 96, CropNoise(), rng)
        return Augmenter(backgrounds, rng)(crops)

    images = draw()
    assert images.shape == (24, 3, 96, 96)
    assert bool(torch.isfinite(images).all())
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    torch.testing.assert_close(images, draw())


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_artefacts_are_those_of_opencv(quality: int) -> None:
    y, x = np.mgrid[:96, :96].astype(np.float32) / 96
    picture = np.stack([0.5 + 0.4 * np.sin(9 * x + 5 * y), x, 0.3 + 0.5 * y], -1)
    picture[30:60, 20:70] = [0.9, 0.2, 0.4]
    ours = jpeg_artefacts(torch.from_numpy(picture).permute(2, 0, 1)[None], torch.tensor([float(quality)]))
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    coded = cv2.imencode(".jpg", np.rint(picture[..., ::-1] * 255).astype(np.uint8), options)[1]
    theirs = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255
    damage = np.abs(theirs - picture).mean()
    assert np.abs(ours[0].permute(1, 2, 0).numpy() - theirs).mean() < 0.5 * damage + 0.003

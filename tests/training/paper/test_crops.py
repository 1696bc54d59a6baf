"""Training crops of labelled pictures: picture and labels move together; batches are the same whoever cuts them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.errors import UserError
from engines.geometry.pinhole import rootnet_k
from engines.skeleton import SWAP_HANDS
from tests.support.dataset_files import CAMERA
from tests.support.paper_files import COLOURS, drawn_interhand, drawn_tzionas
from training.datasets.interhand.interhand26m import InterHand26M, load_interhand26m
from training.datasets.mix import Mix, Part
from training.datasets.tzionas import load_tzionas
from training.paper.batches import CropBatch, CropBatches, read_ahead
from training.paper.crops import AS_IT_IS, Augmentation, training_crop

PUBLISHED = Augmentation(shift=0.15, scale=0.25, roll_deg=45, roll_share=0.6, flip=0.5, colour=0.2)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> InterHand26M:
    root = tmp_path_factory.mktemp("interhand")
    drawn_interhand(root)
    return load_interhand26m(root, "train")


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_labels_lie_on_the_drawn_joints_of_their_own_hand(samples: InterHand26M, flip: float) -> None:
    """Discs are red on the right hand and blue on the left one; a mirrored right hand becomes a left one."""
    rng = np.random.default_rng(0)
    hits = []
    for sample in list(samples) * 8:
        crop = training_crop(sample, 128, Augmentation(0.15, 0.25, 45, 0.6, flip, 0.0), rng)
        for row in np.nonzero(crop.place_weight)[0]:
            x, y = np.clip(crop.joints_crop_px[row].round().astype(int), 0, 127)
            drawn = COLOURS[row // 21 if not flip else 1 - row // 21]
            hits.append(np.abs(crop.picture[y, x].astype(int) - drawn).max() < 90)
    assert len(hits) > 800 and np.mean(hits) > 0.97


def test_a_crop_as_it_is_has_the_labels_of_the_sample(samples: InterHand26M) -> None:
    sample = samples[2]
    crop = training_crop(sample, 256, AS_IT_IS, np.random.default_rng(0))
    depth = sample.joints_cam_mm[:, 2]
    np.testing.assert_allclose(crop.joint_depth_mm[:21], depth[:21] - depth[20], atol=1e-3)
    assert crop.left_minus_right_root_mm == pytest.approx(depth[41] - depth[20], abs=1e-3) and crop.pair_weight == 1
    np.testing.assert_allclose(crop.root_depth_mm, depth[[20, 41]], rtol=1e-6)
    assert crop.k_mm == pytest.approx(rootnet_k(sample.crop().side_px, CAMERA.fx, CAMERA.fy), rel=1e-6)
    assert crop.volume_weight.sum() == 42 and crop.hands_weight == 1
    lost = training_crop(samples[3], 256, AS_IT_IS, np.random.default_rng(0))
    assert lost.volume_weight[21:].sum() == 0, "without its wrist nothing of a hand counts"
    assert lost.place_weight[21:41].sum() == 20 and lost.pair_weight == 0
    np.testing.assert_array_equal(lost.root_depth_weight, [1, 0])


def test_a_mirrored_crop_exchanges_the_hands(samples: InterHand26M) -> None:
    plain = training_crop(samples[2], 128, AS_IT_IS, np.random.default_rng(0))
    mirrored = training_crop(samples[2], 128, Augmentation(flip=1.0), np.random.default_rng(0))
    expected = plain.joints_crop_px[SWAP_HANDS] * [-1, 1] + [127, 0]
    np.testing.assert_allclose(mirrored.joints_crop_px, expected, atol=1e-3)
    assert mirrored.left_minus_right_root_mm == pytest.approx(-plain.left_minus_right_root_mm)
    assert np.abs(mirrored.picture[:, ::-1].astype(int) - plain.picture).mean() < 2


def test_augmentation_is_as_wide_as_published(samples: InterHand26M) -> None:
    """Where the box's centre and the joints' spread go tells shift, scale and turn; gains are colours."""
    sample, rng = samples[0], np.random.default_rng(1)
    plain = training_crop(sample, 256, AS_IT_IS, rng).joints_crop_px[:21]
    scales, turns, gains = [], [], []
    for _ in range(400):
        crop = training_crop(sample, 256, Augmentation(0.15, 0.25, 45, 0.6, 0.0, 0.2), rng)
        moved = crop.joints_crop_px[:21]
        a, b = plain[0] - plain[20], moved[0] - moved[20]
        scales.append(np.linalg.norm(a) / np.linalg.norm(b))
        turns.append(np.degrees(np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b)))
        gains.append(crop.gain)
    assert min(scales) == pytest.approx(0.75, abs=0.01) and max(scales) == pytest.approx(1.25, abs=0.01)
    assert np.mean(np.isclose(scales, 1.25, atol=1e-3)) == pytest.approx(0.16, abs=0.06), "cut at one deviation"
    assert np.mean(np.abs(turns) < 0.01) == pytest.approx(0.4, abs=0.08), "two fifths are not turned"
    assert 80 < np.abs(turns).max() <= 90.1
    assert np.min(gains) == pytest.approx(0.8, abs=0.02) and np.max(gains) == pytest.approx(1.2, abs=0.02)


def batches(samples: InterHand26M, rows: slice = slice(None), size: int = 4) -> CropBatches:
    return CropBatches(Mix([Part(samples, 1.0)], 3), size, rows, 64, PUBLISHED, 3)


def test_batches_are_the_same_whoever_reads_them(samples: InterHand26M) -> None:
    here = list(read_ahead(batches(samples), range(3, 6), 0, "cpu"))
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 5)  # OpenCV's threads run: a fork must survive it
    elsewhere = list(read_ahead(batches(samples), range(3, 6), 2, "cpu"))
    halves = [list(read_ahead(batches(samples, slice(k, None, 2)), range(3, 6), 0, "cpu")) for k in (0, 1)]
    for step, whole in enumerate(here):
        for name, value in vars(whole).items():
            assert torch.equal(value, getattr(elsewhere[step], name)), name
            for k in (0, 1):
                assert torch.equal(value[k::2], getattr(halves[k][step], name)), name


def test_images_are_rgb_with_their_colours_changed(samples: InterHand26M) -> None:
    batch = next(read_ahead(batches(samples), range(1), 0, "cpu"))
    images = batch.images()
    assert images.shape == (4, 3, 64, 64)
    blue = batch.picture[1, 10, 20, 0].float() * batch.gain[1, 2] / 255
    assert float(images[1, 2, 10, 20]) == pytest.approx(float(blue.clamp(0, 1)))


def test_half_a_batch_may_have_2d_labels(samples: InterHand26M, tmp_path: Path) -> None:
    drawn_tzionas(tmp_path, 10)
    mix = Mix([Part(samples, 1.0), Part(load_tzionas(tmp_path, "train"), 1.0)], 0)
    both = [CropBatches(mix, 8, slice(k, None, 2), 64, PUBLISHED, 0)[0] for k in (0, 1)]
    for part in both:
        assert isinstance(part, CropBatch)
        flat = part.volume_weight.sum(1) == 0
        assert int(flat.sum()) == 2, "each process has its half of 2D labels"
        assert float(part.place_weight[flat].sum(1).min()) > 5
        assert float(part.root_depth_weight[flat].sum() + part.pair_weight[flat].sum()) == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_is_one_line_with_its_name(tmp_path: Path, workers: int) -> None:
    drawn_interhand(tmp_path)
    broken = tmp_path / "images/train/Capture0/seq1/cam400/image1.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"image1\.jpg: is no picture that can be read") as caught:
        list(read_ahead(batches(load_interhand26m(tmp_path, "train")), range(3), workers, "cpu"))
    assert "\n" not in str(caught.value)

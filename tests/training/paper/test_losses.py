"""InterNet's and RootNet's targets and losses against the published formulae in plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.networks.decode_paper import (
    argmax_voxels,
    joints_of,
    mean_readout,
    mean_voxels,
    refined_voxels,
    slice_maxima,
)
from engines.spec import PAPER
from training.paper.batches import CropBatch
from training.paper.losses import (
    blobs,
    coordinate_loss,
    depth_bins,
    handedness_loss,
    heat_map_loss,
    relative_depth_loss,
    root_loss,
    voxels,
)
from training.paper.settings import EpochSettings
from training.paper.state import learning_rate

SIDE, BINS = 8, 64
CROP_PX = SIDE * 4


def some_batch(count: int = 3, seed: int = 0) -> CropBatch:
    """Random labels with some joints, hands and depths missing."""
    rng = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return torch.rand(shape, generator=rng) * (high - low) + low

    def flags(*shape: int) -> torch.Tensor:
        return (torch.rand(shape, generator=rng) < 0.7).float()

    place = flags(count, 42)
    return CropBatch(
        picture=torch.zeros((count, CROP_PX, CROP_PX, 3), dtype=torch.uint8),
        gain=torch.ones(count, 3),
        joints_crop_px=uniform(count, 42, 2, high=CROP_PX),
        joint_depth_mm=uniform(count, 42, low=-190, high=190),
        place_weight=place,
        volume_weight=place * flags(count, 42),
        hand_present=flags(count, 2),
        hands_weight=flags(count),
        left_minus_right_root_mm=uniform(count, low=-190, high=190),
        pair_weight=flags(count),
        root_depth_mm=uniform(count, 2, low=400, high=900),
        root_depth_weight=flags(count, 2),
        k_mm=uniform(count, low=300, high=900),
    )


def test_heat_map_loss_is_the_published_one() -> None:
    """Mean over the volume of (H - 255 exp(-d^2 / 2 2.5^2))^2 with absent joints as zero, one voxel after the other."""
    batch = some_batch(2)
    heat = torch.randn((2, 42, BINS, SIDE, SIDE), generator=torch.Generator().manual_seed(1)) * 50
    total = 0.0
    z, y, x = np.mgrid[:BINS, :SIDE, :SIDE].astype(np.float64)
    for b in range(2):
        for j in range(42):
            cx, cy = batch.joints_crop_px[b, j].double().numpy() / 4
            cz = (float(batch.joint_depth_mm[b, j]) / 200 + 1) / 2 * 64
            target = 255 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) / (2 * 2.5**2))
            off = (heat[b, j].double().numpy() - target) ** 2
            total += float(off.sum()) * float(batch.volume_weight[b, j])
    assert float(heat_map_loss(heat, batch)) == pytest.approx(total / heat.numel(), rel=1e-5)


def test_coordinate_loss_is_an_l1_after_soft_argmax_and_depth_needs_labels() -> None:
    batch = some_batch(2)
    logits = torch.randn((2, 42, BINS, SIDE, SIDE), generator=torch.Generator().manual_seed(2)) * 3
    total = 0.0
    z, y, x = np.mgrid[:BINS, :SIDE, :SIDE].astype(np.float64)
    for b in range(2):
        for j in range(42):
            share = np.exp(logits[b, j].double().numpy())
            share /= share.sum()
            cx, cy = batch.joints_crop_px[b, j].double().numpy() / 4
            cz = (float(batch.joint_depth_mm[b, j]) / 200 + 1) / 2 * 64
            flat = abs((share * x).sum() - cx) + abs((share * y).sum() - cy)
            total += flat * float(batch.place_weight[b, j])
            total += abs((share * z).sum() - cz) * float(batch.volume_weight[b, j])
    assert float(coordinate_loss(logits, batch)) == pytest.approx(total / (2 * 42 * 3), rel=1e-5)


def test_labels_in_2d_teach_no_depth() -> None:
    batch = some_batch(2)
    flat = CropBatch(**{**vars(batch), "volume_weight": torch.zeros(2, 42), "place_weight": torch.ones(2, 42)})
    along_depth = torch.zeros(2, 42, BINS, 1, 1, requires_grad=True)
    in_picture = torch.zeros(2, 42, 1, SIDE, SIDE, requires_grad=True)
    coordinate_loss(along_depth + in_picture, flat).backward()
    assert along_depth.grad is not None and in_picture.grad is not None
    assert float(along_depth.grad.abs().max()) < 1e-9
    assert float(in_picture.grad.abs().max()) > 1e-6
    assert float(heat_map_loss((along_depth + in_picture).detach(), flat)) == 0


def test_handedness_relative_depth_and_root_losses_are_the_published_ones() -> None:
    batch = some_batch(4)
    rng = np.random.default_rng(3)
    hands, bins, roots = rng.uniform(0.05, 0.95, (4, 2)), rng.uniform(0, 64, (4, 1)), rng.uniform(0, 900, (4, 2, 3))
    l_h = l_rel = l_root = 0.0
    for b in range(4):
        there = batch.hand_present[b].numpy()
        entropy = -(there * np.log(hands[b]) + (1 - there) * np.log(1 - hands[b])).sum() / 2
        l_h += entropy * float(batch.hands_weight[b]) / 4
        truth = (float(batch.left_minus_right_root_mm[b]) / 200 + 1) / 2 * 64
        l_rel += abs(bins[b, 0] - truth) * float(batch.pair_weight[b]) / 4
        for h, wrist in enumerate((20, 41)):
            x, y = batch.joints_crop_px[b, wrist].numpy() / 4
            flat = (abs(roots[b, h, 0] - x) + abs(roots[b, h, 1] - y)) * float(batch.place_weight[b, wrist])
            depth = abs(roots[b, h, 2] - float(batch.root_depth_mm[b, h])) * float(batch.root_depth_weight[b, h])
            l_root += (flat + depth) / 3 / 8
    assert float(handedness_loss(torch.tensor(hands).float(), batch)) == pytest.approx(l_h, rel=1e-5)
    assert float(relative_depth_loss(torch.tensor(bins).float(), batch)) == pytest.approx(l_rel, rel=1e-5)
    assert float(root_loss(torch.tensor(roots).float(), batch)) == pytest.approx(l_root, rel=1e-5)
    one = torch.tensor(roots).float()[torch.arange(4), (batch.hand_present[:, 0] < 0.5).long()]
    present_left = CropBatch(**{**vars(batch), "hand_present": torch.tensor([[0.0, 1.0]] * 4)})
    assert float(root_loss(one, batch)) != pytest.approx(float(root_loss(one, present_left)))


def test_two_halves_of_a_batch_average_to_the_whole() -> None:
    batch = some_batch(4)
    heat = torch.randn((4, 42, BINS, SIDE, SIDE)) * 20
    rows = [slice(0, None, 2), slice(1, None, 2)]
    halves = [CropBatch(**{name: value[r] for name, value in vars(batch).items()}) for r in rows]
    for loss in (heat_map_loss, coordinate_loss):
        mean = sum(float(loss(heat[r], half)) for r, half in zip(rows, halves, strict=True)) / 2
        assert mean == pytest.approx(float(loss(heat, batch)), rel=1e-5)


def test_targets_are_the_inverse_of_reading() -> None:
    batch = some_batch(2)
    rng = torch.Generator().manual_seed(4)
    place, depth = torch.rand((2, 42, 2), generator=rng) * 3 + 2.5, torch.rand((2, 42, 1), generator=rng) * 40 + 10
    centers = torch.cat([place, depth], -1)
    volume = blobs(centers, torch.Size((2, 42, BINS, SIDE, SIDE)))
    over_depth = volume.amax(2)
    peaks = [over_depth.amax(2), over_depth.amax(3), volume.amax((3, 4))]
    found = torch.stack([refined_voxels(peak) for peak in peaks], -1)
    torch.testing.assert_close(found, centers, atol=1e-3, rtol=0)
    px, depth_mm = joints_of(voxels(batch), PAPER)
    torch.testing.assert_close(px, batch.joints_crop_px)
    torch.testing.assert_close(depth_mm, batch.joint_depth_mm, atol=1e-3, rtol=0)
    cube = blobs(centers[:1, :1], torch.Size((1, 1, 64, 64, 64)))
    torch.testing.assert_close(argmax_voxels(slice_maxima(cube)), centers[:1, :1].round().long())
    assert float(depth_bins(torch.tensor(0.0))) == 32


def test_mean_readout_finds_the_mean_and_knows_how_sure_it_is() -> None:
    centers = torch.tensor([[[20.3, 41.8, 30.5], [32.0, 32.0, 32.0]]])
    shape = torch.Size((1, 2, 64, 64, 64))
    logits = blobs(centers, shape).clamp_min(1e-30).log() * torch.tensor([4.0, 0.02])[:, None, None, None]
    found, sure = mean_readout(logits)
    torch.testing.assert_close(found, mean_voxels(logits))
    torch.testing.assert_close(found[0, 0], centers[0, 0], atol=1e-3, rtol=0)
    inside = math.erf(2.5 / (1.25 * math.sqrt(2))) ** 2  # the softmax of four times the exponent: deviation 1.25
    assert float(sure[0, 0]) == pytest.approx(inside, abs=0.06)
    assert float(sure[0, 1]) < 0.2


def test_rates_fall_at_the_published_epochs() -> None:
    steps = EpochSettings(epochs=20, learning_rate=1.0e-4, steps=[15, 17])
    rates = [learning_rate(epoch * 1000, 1000, steps) for epoch in range(20)]
    assert rates == pytest.approx([1.0e-4] * 15 + [1.0e-5] * 2 + [1.0e-6] * 3)
    assert learning_rate(14_999, 1000, steps) == pytest.approx(1.0e-4)
    cosine = EpochSettings(epochs=20, learning_rate=1.0e-4, decay="cosine", warmup=100)
    rates = [learning_rate(samples, 1000, cosine) for samples in (0, 99, 10_000, 20_000)]
    assert rates == pytest.approx([1.0e-6, 1.0e-4, 0.5e-4, 0.0], rel=1e-3, abs=1e-12)

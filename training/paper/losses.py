"""The published losses of InterNet and RootNet, as the released code averages them.

Every term is a mean over the batch in which what is not labelled counts as zero: two halves of a batch, averaged, give
the same as the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.networks.decode_paper import mean_voxels
from engines.skeleton import WRISTS
from engines.spec import PAPER, PAPER_PEAK, PAPER_SIGMA
from training.paper.batches import CropBatch


def voxels(batch: CropBatch) -> Tensor:
    """(B, 42, 3) x, y, depth of the labelled joints in voxels: the inverse of `decode_paper.joints_of`."""
    place = batch.joints_crop_px / PAPER.heatmap_stride
    return torch.cat([place, depth_bins(batch.joint_depth_mm).unsqueeze(-1)], -1)


def depth_bins(depth_mm: Tensor) -> Tensor:
    """Mm relative to the wrist -> depth bins."""
    return (depth_mm / (PAPER.depth_range_mm / 2) + 1) / 2 * PAPER.depth_bins


def blobs(centers: Tensor, shape: torch.Size) -> Tensor:
    """(B, J, D, H, W) Gaussians of height 255 and deviation 2.5 voxels around centers (B, J, 3) x, y, depth."""

    def along(axis: int, length: int) -> Tensor:
        cells = torch.arange(length, device=centers.device, dtype=centers.dtype)
        return torch.exp(-(((cells - centers[..., axis : axis + 1]) / PAPER_SIGMA) ** 2) / 2)

    depth, height, width = shape[-3:]
    plane = along(1, height)[..., :, None] * along(0, width)[..., None, :]
    return PAPER_PEAK * along(2, depth)[..., None, None] * plane[:, :, None]


def heat_map_loss(heat: Tensor, batch: CropBatch) -> Tensor:
    """Mean squared error of the volumes (B, 42, D, H, W); hands and joints that are not there count nothing."""
    off = heat.float() - blobs(voxels(batch), heat.shape)
    return (off.square() * batch.volume_weight[..., None, None, None]).mean()


def coordinate_loss(heat: Tensor, batch: CropBatch) -> Tensor:
    """Section 6.5: L1 in voxels after a soft-argmax; depth counts nothing where only 2D is labelled."""
    off = (mean_voxels(heat) - voxels(batch)).abs()
    weight = torch.stack([batch.place_weight, batch.place_weight, batch.volume_weight], -1)
    return (off * weight).mean()


def handedness_loss(probability: Tensor, batch: CropBatch) -> Tensor:
    """Binary cross entropy, mean of both hands.

    torch's own function stops the program on a probability that is no number, before the loop can say so.
    """
    smallest = torch.finfo(probability.dtype).tiny
    there, gone = (share.clamp_min(smallest).log() for share in (probability, 1 - probability))
    entropy = -(batch.hand_present * there + (1 - batch.hand_present) * gone).mean(1)
    return (entropy * batch.hands_weight).mean()


def relative_depth_loss(bins: Tensor, batch: CropBatch) -> Tensor:
    """L1 of z(R->L) (B, 1) in bins, where both wrists are known."""
    off = (bins[:, 0] - depth_bins(batch.left_minus_right_root_mm)).abs()
    return (off * batch.pair_weight).mean()


def root_loss(answer: Tensor, batch: CropBatch) -> Tensor:
    """RootNet: L1 of x, y in cells and depth in mm, a third each; mean over the roots.

    `answer` is (B, 2, 3), or (B, 3) of a network with one root, which is the right wrist if there is a right hand.
    """
    wrists = list(WRISTS)
    cells = batch.joints_crop_px[:, wrists] / PAPER.heatmap_stride
    truth = torch.cat([cells, batch.root_depth_mm.unsqueeze(-1)], -1)
    place = batch.place_weight[:, wrists]
    weight = torch.stack([place, place, batch.root_depth_weight], -1)
    if answer.dim() == 2:
        row = (batch.hand_present[:, 0] < 0.5).long()
        each = torch.arange(len(row), device=row.device)
        truth, weight = truth[each, row], weight[each, row]
    return ((answer - truth).abs() * weight).sum(-1).mean() / 3

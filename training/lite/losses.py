"""The losses of `lite`: InterNet's and RootNet's targets, for coordinates that are read out by soft-argmax."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.networks.decode import (
    crop_from_heat,
    heat_from_crop,
    joint_cells,
    joint_depth_mm,
    left_minus_right_root_mm,
)
from engines.networks.lite import LiteMaps
from engines.spec import NetworkSpec
from training.lite.batch import Labels
from training.loop.ranks import weight_of_all

BLOB_CELLS = 1.0
"""Standard deviation of a joint's target blob, in heat-map cells."""


@dataclass(frozen=True)
class LossWeights:
    """What each term counts; chosen so that all pull about equally at the start."""

    heatmap: float = 1.0
    joints_px: float = 0.1
    joint_depth_mm: float = 0.05
    root_mm: float = 0.02
    hands: float = 1.0
    gamma: float = 2.0
    masks: float = 0.0
    """What it counts which cells show which hand, where the bank tells; no engine says it, but its features know."""
    trunk_anchor: float = 0.0
    """How strongly the trunk's learnable layers are held to where they began: this times the mean over them of
    |w - w0|^2 / |w0|^2 (`training.lite.anchor`).
    """
    consistency: float = 0.0
    """What it counts that unlabelled hands of degraded real crops are seen as the averaged network sees them in the
    clean ones (`training.lite.consistency`); its terms have the weights above.
    """


@dataclass(frozen=True)
class Losses:
    """Each term by itself, in its own unit, before its weight."""

    heatmap: Tensor
    """Cross entropy of the heat maps, nats."""
    joints_px: Tensor
    """Mean |dx|, |dy| in pixels of the crop."""
    joint_depth_mm: Tensor
    root_mm: Tensor
    hands: Tensor
    """Binary cross entropy of both hands."""
    gamma: Tensor
    masks: Tensor
    """Binary cross entropy of both hands' masks."""

    def total(self, weights: LossWeights) -> Tensor:
        """The weighted sum that is minimised."""
        terms = [value * getattr(weights, name) for name, value in vars(self).items()]
        return torch.stack(terms).sum()

    def values(self) -> dict[str, float]:
        """The terms as numbers, for the log."""
        return {name: float(value.detach()) for name, value in vars(self).items()}


def compute_losses(maps: LiteMaps, labels: Labels, spec: NetworkSpec) -> Losses:
    """All terms of one batch; what is absent or outside the crop counts nothing."""
    stride = spec.heatmap_stride
    cells, _ = joint_cells(maps)
    joints_px = crop_from_heat(cells, stride)
    root = left_minus_right_root_mm(maps.root_logits, spec)
    distance = (joints_px - labels.joints_crop_px).abs().mean(-1)
    depth = (joint_depth_mm(maps) - labels.joint_depth_mm).abs()
    hands = F.binary_cross_entropy_with_logits(maps.hand_logits, labels.hand_present, reduction="none")
    masks = F.binary_cross_entropy_with_logits(maps.mask_logits, labels.hand_masks, reduction="none")
    return Losses(
        heatmap=weighted_mean(
            _heatmap_entropy(maps, heat_from_crop(labels.joints_crop_px, stride)), labels.place_weight
        ),
        joints_px=weighted_mean(distance, labels.place_weight),
        joint_depth_mm=weighted_mean(depth, labels.depth_weight),
        root_mm=weighted_mean((root - labels.left_minus_right_root_mm).abs(), labels.root_weight),
        hands=weighted_mean(hands, labels.hand_weight),
        gamma=weighted_mean((maps.gamma - labels.gamma).abs(), labels.gamma_weight),
        masks=weighted_mean(masks.mean((1, 2, 3)), labels.mask_weight),
    )


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean of values (B, ...); in several processes their mean is that over the whole batch."""
    total, processes = weight_of_all(weight.sum())
    return (values * weight).sum() * processes / (total + 1.0)


def _heatmap_entropy(maps: LiteMaps, cells: Tensor) -> Tensor:
    """(B, J) cross entropy of heat maps against Gaussian blobs at `cells` (B, J, 2): the mean over all looks."""
    height, width = maps.heat_logits.shape[-2:]
    target = _blob(cells[..., 1], height)[..., :, None] * _blob(cells[..., 0], width)[..., None, :]
    looks = torch.cat([maps.earlier_logits, maps.heat_logits[:, None]], 1)
    # a blob's sum is 1, so its entropy against log-softmax needs no map of logarithms
    by_look = looks.flatten(3).logsumexp(-1) - (target[:, None] * looks).sum((-2, -1))
    return by_look.mean(1)


def _blob(center: Tensor, count: int) -> Tensor:
    axis = torch.arange(count, device=center.device, dtype=center.dtype)
    return torch.softmax(-((axis - center[..., None]) / BLOB_CELLS).square() / 2, dim=-1)

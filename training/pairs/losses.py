"""What the pair detector's answer costs: focal loss on heat maps, distances of boxes at the centres."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.pairs.network import PairMaps
from training.pairs.targets import TargetMaps


@dataclass(frozen=True)
class PairLabels:
    """`TargetMaps` of a batch, as tensors (B, ...)."""

    heat: Tensor
    taught: Tensor
    boxes: Tensor
    weight: Tensor
    up_known: Tensor

    def rows(self, part: slice) -> PairLabels:
        """A part of the batch."""
        return PairLabels(**{field.name: getattr(self, field.name)[part] for field in fields(self)})


def stacked(maps: list[TargetMaps], device: str) -> PairLabels:
    """The labels of a batch."""
    names = [field.name for field in fields(PairLabels)]
    return PairLabels(**{n: torch.from_numpy(np.stack([getattr(one, n) for one in maps])).to(device) for n in names})


def pair_losses(answer: PairMaps, labels: PairLabels) -> dict[str, Tensor]:
    """The terms by name, each a mean over the centres of the batch."""
    centres = labels.weight.sum((2, 3)).clamp_max(1).sum().clamp_min(1)
    weight = labels.weight / labels.weight.sum((1, 2, 3)).mean().clamp_min(1.0e-3) / len(labels.weight)
    weight = weight[:, :, None]
    offset, log_size, up = labels.boxes[:, :, 0:2], labels.boxes[:, :, 2:4], labels.boxes[:, :, 4:6]
    return {
        "heat": _focal(answer.heat, labels.heat, labels.taught) / centres,
        "offset": (weight * (answer.offset - offset).abs()).sum(),
        "log_size": (weight * (answer.log_size - log_size).abs()).sum(),
        "up": (weight * labels.up_known[:, :, None] * (answer.up - up).abs()).sum(),
    }


def _focal(logits: Tensor, heat: Tensor, taught: Tensor) -> Tensor:
    """Penalty-reduced focal loss of "Objects as Points", alpha 2, beta 4; a sum."""
    said = logits.sigmoid()
    centre = (heat == 1).float()
    there = centre * (1 - said).square() * F.softplus(-logits)
    absent = (1 - centre) * (1 - heat).pow(4) * said.square() * F.softplus(logits)
    return (taught * (there + absent)).sum()

"""Training the simple baseline: what the loop asks for (one loop for every network, `training.loop`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from engines.networks.resnet import load_imagenet
from engines.skeleton import HAND_SLICES
from training.annotation.keypoints.network import STRIDE, SimpleBaseline, blobs, read_maps
from training.datasets.sample import LabelledSample, box_around
from training.loop.ranks import Ranks
from training.loop.run_settings import autocast
from training.loop.task import Loss
from training.paper.batches import CropBatch
from training.paper.crop_task import CropTask
from training.paper.means import Means
from training.paper.settings import PaperSettings

_FEWEST: Final = 6
"""Labelled joints that a hand needs to have a crop of its own."""


class KeypointSettings(PaperSettings):
    """One training run of the 2D detector."""

    network: Literal["keypoints"] = "keypoints"
    sigma_cells: float = Field(2.0, gt=0)
    """Deviation of the blobs, in cells of the heat maps."""


@dataclass(frozen=True, eq=False)
class HandByHand(Sequence[LabelledSample]):
    """Every labelled hand of a data set as a sample of its own, its box around that hand alone."""

    samples: Sequence[LabelledSample]
    rows: NDArray[np.int64]
    """(N, 2) which sample, and right (0) or left (1)."""

    @classmethod
    def of(cls, samples: Sequence[LabelledSample]) -> HandByHand:
        """All hands; every sample is made once to see which it has."""
        found = [(i, k) for i in range(len(samples)) for k, ok in enumerate(_hands(samples[i])) if ok]
        return cls(samples, np.array(found, np.int64).reshape(-1, 2))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> LabelledSample:  # type: ignore[override]  # nobody slices it
        """One hand."""
        row, hand = (int(v) for v in self.rows[index])
        sample = self.samples[row]
        own = np.zeros(42, bool)
        own[list(HAND_SLICES.values())[hand]] = True
        box = box_around(sample.joints_px, sample.joint_px_valid & own)
        return replace(sample, box_px=box, annotation_id=2 * sample.annotation_id + hand)


class KeypointTask(CropTask[SimpleBaseline]):
    """Squared error of the heat maps; a hand that is known to be absent has empty ones."""

    def __init__(self, settings: KeypointSettings, ranks: Ranks) -> None:
        """Read all labels; raises UserError naming what is missing."""
        super().__init__(settings, ranks, HandByHand.of)
        self._settings = settings

    def inputs(self, batch: CropBatch) -> tuple[Tensor, ...]:
        """RGB in 0..1."""
        return (batch.images().contiguous(memory_format=torch.channels_last),)

    def loss(self, answer: object, batch: CropBatch) -> Loss:
        """Mean over the maps that are known."""
        maps = cast(Tensor, answer).float()
        absent = ((1 - batch.hand_present) * batch.hands_weight[:, None]).repeat_interleave(21, 1)
        wanted = blobs(batch.joints_crop_px, maps.shape[-1], self._settings.sigma_cells)
        wanted = wanted * batch.place_weight[..., None, None]
        weight = torch.maximum(batch.place_weight, absent)
        off = ((maps - wanted) ** 2).sum((2, 3)) * weight
        total = off.sum() / weight.sum().clamp_min(1)
        return Loss(total, {"maps": total})

    @torch.no_grad()
    def validate(self, network: SimpleBaseline) -> dict[str, float]:
        """Mean distance on what is held out, px of the crop, and the share within a twentieth of its side."""
        means = Means()
        side = self._settings.data.crop_px
        for batch in self.data.held_out():
            with autocast(self._settings):
                maps = network(*self.inputs(batch)).float()
            off = (read_maps(maps)[0] - batch.joints_crop_px).norm(dim=-1)
            means.add("joint_px", off, batch.place_weight)
            means.add("within_5_percent", (off < 0.05 * side).float(), batch.place_weight)
        return means.values()


def start_keypoints(settings: KeypointSettings) -> SimpleBaseline:
    """The network at the beginning of a run; raises UserError if the trunk's weights do not fit."""
    if settings.data.crop_px % (8 * STRIDE):
        raise ValueError("crop_px must be a multiple of 32")
    network = SimpleBaseline(settings.depth)
    if settings.trunk is not None:
        load_imagenet(network.trunk, settings.trunk)
    return network


def _hands(sample: LabelledSample) -> list[bool]:
    return [int(sample.joint_px_valid[rows].sum()) >= _FEWEST for rows in HAND_SLICES.values()]

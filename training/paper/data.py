"""The data sets of a run of InterNet or RootNet: read, filtered, mixed by share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from training.datasets.interhand.interhand26m import InterHand26M
from training.datasets.mix import Mix, Part
from training.datasets.sample import LabelledSample
from training.loop.ranks import Ranks
from training.paper.batches import CropBatch, CropBatches, InOrder, read_ahead
from training.paper.crops import AS_IT_IS
from training.paper.settings import PaperSettings, PartSettings
from training.registry import load_split

Change = Callable[[Sequence[LabelledSample]], Sequence[LabelledSample]]
"""Other samples of a data set's own: one for each hand, say."""


@dataclass(frozen=True)
class Chosen(Sequence[LabelledSample]):
    """Some of the samples of a data set, made when asked for."""

    samples: Sequence[LabelledSample]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> LabelledSample:  # type: ignore[override]  # nobody slices it
        """Sample `index` of the chosen ones."""
        return self.samples[int(self.rows[index])]


def load_part(part: PartSettings, cache: Path | None = None) -> Sequence[LabelledSample]:
    """What the settings ask for of one data set; raises UserError if nothing is left or a file is missing.

    `cache` is a folder for labels that take long to read.
    """
    samples = load_split(part.dataset, part.root, part.split, part.subset, cache)
    rows = np.arange(len(samples))
    if part.hands != "all":
        wanted = part.hands == "interacting"
        rows = np.array([i for i in rows if _interacting(samples, int(i)) == wanted], np.int64)
    if part.limit is not None and part.limit < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, part.limit).astype(int)]
    if not len(rows):
        raise UserError(f"{part.root}: {part.dataset} has no {part.hands} hands in {part.split} ({part.subset})")
    return samples if len(rows) == len(samples) else Chosen(samples, rows)


def _interacting(samples: Sequence[LabelledSample], index: int) -> bool:
    """Of InterHand2.6M's million samples none is made for this."""
    return samples.is_interacting(index) if isinstance(samples, InterHand26M) else samples[index].interacting


def as_they_are(samples: Sequence[LabelledSample]) -> Sequence[LabelledSample]:
    """The samples of a data set, unchanged."""
    return samples


class TrainingData:
    """Endless batches of a run, and the held-out ones; raises UserError naming what is missing."""

    def __init__(self, settings: PaperSettings, ranks: Ranks, change: Change = as_they_are) -> None:
        self._settings, self._ranks = settings, ranks
        cache = settings.output / "labels"  # a run that goes on need not read a gigabyte of JSON again
        parts = [Part(change(load_part(part, cache)), part.share) for part in settings.data.train]
        self._mix = Mix(parts, settings.seed)
        self._held_out = [sample for part in settings.data.validation for sample in change(load_part(part, cache))]
        whole = sum(part.share for part in parts)
        self.epoch = round(len(parts[0].samples) * whole / parts[0].share)
        """Samples of an epoch: all parts together while the first is passed once."""

    def batches(self, start: int, samples: int) -> Iterator[CropBatch]:
        """This process's parts of the batches after the first `start` samples of a run of `samples`."""
        settings, data = self._settings, self._settings.data
        batches = CropBatches(
            self._mix, settings.batch, self._ranks.rows(), data.crop_px, settings.augmentation, settings.seed
        )
        steps = range(start // settings.batch, -(-samples // settings.batch))
        return read_ahead(batches, steps, data.workers, settings.device)

    def held_out(self) -> Iterator[CropBatch]:
        """The held-out samples as they are, in order."""
        settings, data = self._settings, self._settings.data
        size = min(settings.batch, 64)
        batches = CropBatches(InOrder(self._held_out), size, slice(None), data.crop_px, AS_IT_IS, settings.seed)
        return read_ahead(batches, range(-(-len(self._held_out) // size)), data.workers, settings.device)

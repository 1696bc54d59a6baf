"""What training InterNet and RootNet have in common: crops of labelled pictures, and rates by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic

from training.loop.ranks import Ranks
from training.loop.state import NetworkT, TrainingState
from training.paper.batches import CropBatch
from training.paper.data import Change, TrainingData, as_they_are
from training.paper.settings import PaperSettings
from training.paper.state import learning_rate


class CropTask(Generic[NetworkT]):
    """A run through the data sets of the settings."""

    def __init__(self, settings: PaperSettings, ranks: Ranks, change: Change = as_they_are) -> None:
        """Read all labels; raises UserError naming what is missing. `change` makes other samples of each data set's."""
        self.data = TrainingData(settings, ranks, change)
        self.samples = self.data.epoch * settings.schedule.epochs
        self._schedule = settings.schedule
        self._batches: Iterator[CropBatch] | None = None

    def set_rates(self, state: TrainingState[NetworkT]) -> None:
        """The schedule of the settings."""
        rate = learning_rate(state.samples, self.data.epoch, self._schedule)
        for group in state.optimizer.param_groups:
            group["lr"] = rate

    def draw(self, state: TrainingState[NetworkT]) -> CropBatch:
        """The next batch that was read ahead, from the run's place on."""
        if self._batches is None:
            self._batches = self.data.batches(state.samples, self.samples)
        return next(self._batches)

"""Training the pair detector on composed frames: what the loop asks for."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from training.banks.banks import load_mix, load_real_mix
from training.loop.ranks import Ranks
from training.loop.state import TrainingState, begin
from training.loop.task import Loss
from training.pairs.batches import KEPT, PairBatch, Sources, draw_batch, load_photos, place_of
from training.pairs.losses import pair_losses
from training.pairs.network import PairHead, PairMaps
from training.pairs.palm_features import PalmFeatures
from training.pairs.settings import PairScheduleSettings, PairSettings
from training.pairs.validation import detect_with, false_alarms, held_out_frames, recall

_JUDGED_AT = 0.3
"""Score of the proposals that are counted in the log."""


class PairTask:
    """Frames by their place in the run, so that one that was interrupted goes on to the same result."""

    def __init__(self, settings: PairSettings, ranks: Ranks) -> None:
        """Read everything; raises UserError naming what is missing."""
        self.samples = settings.schedule.samples
        self._settings, self._ranks = settings, ranks
        self._sources = load_sources(settings, held_out=False)
        self._features = PalmFeatures()
        self._recent: dict[int, PairBatch] = {}
        self._held_out = held_out_frames(load_sources(settings, held_out=True), settings.data)

    def set_rates(self, state: TrainingState[PairHead]) -> None:
        """The schedule of the settings."""
        for group in state.optimizer.param_groups:
            group["lr"] = self._settings.schedule.learning_rate * rate_factor(state.samples, self._settings.schedule)

    def draw(self, state: TrainingState[PairHead]) -> PairBatch:
        """Every process draws the whole batch, with the same random numbers, and keeps its part.

        To compose a batch and to run the trunk on it costs twice what the head learns from it once, so it does so
        several times; what is kept for that is only a cache.
        """
        settings = self._settings
        place = place_of(state.samples // settings.batch, settings.data.repeats, settings.seed)
        batch = self._recent.get(place)
        if batch is None:
            seeds = (settings.seed, place)
            batch = draw_batch(
                self._sources, settings.data, settings.batch, seeds, self._features, settings.device
            ).rows(self._ranks.rows())
            self._recent[place] = batch
            if len(self._recent) > KEPT:
                self._recent.pop(min(self._recent))
        return batch

    def inputs(self, batch: PairBatch) -> tuple[Tensor, ...]:
        """What the trunk sees in the frames."""
        return (batch.at_8.float(), batch.at_16.float())

    def loss(self, answer: object, batch: PairBatch) -> Loss:
        """All terms, weighted as the settings say."""
        terms = pair_losses(cast(PairMaps, answer), batch.labels)
        total = sum((getattr(self._settings.loss, name) * value for name, value in terms.items()), torch.zeros(()))
        return Loss(total, {name: value.detach() for name, value in terms.items()})

    def validate(self, network: PairHead) -> dict[str, float]:
        """What it finds in held-out frames, and in photographs without hands."""
        detect = detect_with(network, self._features, self._settings)
        return recall(detect, self._held_out, _JUDGED_AT) | false_alarms(detect, self._held_out.empty, _JUDGED_AT)


def load_sources(settings: PairSettings, *, held_out: bool) -> Sources:
    """What frames to train on, or to judge on, are made of; raises UserError naming what is missing."""
    data = settings.data
    of_kind = data.validation_sources if held_out else data.training_sources
    rendered = load_mix(of_kind("rendered"), data.picture_px, data.cache)
    real = load_real_mix(of_kind("real"), data.real_px, data.cache)
    return Sources(rendered, real, load_photos(data.backgrounds, held_out=held_out))


def rate_factor(samples: int, schedule: PairScheduleSettings) -> float:
    """Share of the full learning rate at a place in the run."""
    warm = min(1.0, (samples + 1) / max(schedule.warmup, 1))
    if samples <= schedule.decay_from:
        return warm
    share = min(1.0, (samples - schedule.decay_from) / max(schedule.samples - schedule.decay_from, 1))
    return warm * max(0.5 * (1 + math.cos(math.pi * share)), 0.002)


def new_pair_state(settings: PairSettings, head: PairHead) -> TrainingState[PairHead]:
    """A run at its beginning, with a random head."""
    head.to(settings.device)
    head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its types do not
    rate = settings.schedule.learning_rate
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=settings.weight_decay)
    return begin(settings, head, optimizer)

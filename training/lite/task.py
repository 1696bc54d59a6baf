"""Training `lite` on banks of rendered and real hands: what the loop asks for."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from engines.networks.checkpoints import load_weights
from engines.networks.lite import Lite, LiteMaps
from engines.networks.mobile_trunk import MOST_DONE
from engines.spec import LITE
from training.banks.banks import load_mix, load_real_mix
from training.lite.anchor import TrunkAnchor
from training.lite.backgrounds import load_backgrounds
from training.lite.batch import of_rows
from training.lite.batches import LiteBatch, LiteBatches
from training.lite.consistency import consistency, of_samples, taught_labels
from training.lite.early_stages import EarlyStages
from training.lite.losses import compute_losses
from training.lite.mediapipe_trunk import load_mediapipe_weights
from training.lite.settings import Settings
from training.lite.state import apply_schedule
from training.lite.validation import HeldOut, load_held_out, validate
from training.loop.ranks import Ranks
from training.loop.run_settings import autocast
from training.loop.state import TrainingState
from training.loop.task import Loss


class LiteTask:
    """Batches by their place in the run, so that one that was interrupted goes on to the same result."""

    def __init__(self, settings: Settings, ranks: Ranks) -> None:
        """Read everything; raises UserError naming what is missing."""
        data = settings.data
        self.samples = settings.schedule.samples
        self._settings, self._ranks = settings, ranks
        self._backgrounds = load_backgrounds(data.backgrounds)
        self._held_out: HeldOut = load_held_out(data)
        rendered = load_mix(data.training_sources(), data.picture_px, data.cache)
        real = load_real_mix(data.training_sources("real"), data.real_px, data.cache)
        self._batches = LiteBatches(settings, settings.crop_px(LITE.input_px), rendered, real, self._backgrounds)
        self._anchor = TrunkAnchor(start_network(settings).trunk.to(settings.device)) if _anchored(settings) else None
        self._state: TrainingState[Lite] | None = None
        self._early: EarlyStages | None = None

    def set_rates(self, state: TrainingState[Lite]) -> None:
        """The schedule of the settings."""
        apply_schedule(state, self._settings.schedule)

    def draw(self, state: TrainingState[Lite]) -> LiteBatch:
        """Every process draws the whole batch, with the same random numbers, and keeps its part."""
        self._state = state
        return self._batches.draw(state.samples).rows(self._ranks.rows())

    def inputs(self, batch: LiteBatch) -> tuple[Tensor | int, ...]:
        """The crops; on a CPU what the stages that never learn make of them, and how many these are."""
        done = min(self._settings.schedule.frozen_stages, MOST_DONE)
        if self._state is None or not done or self._settings.device != "cpu":
            return (batch.images.contiguous(memory_format=torch.channels_last),)
        if self._early is None:
            self._early = EarlyStages(self._state.network.trunk, done, self._settings.amp())
        return self._early(batch.images), done

    def loss(self, answer: object, batch: LiteBatch) -> Loss:
        """All terms, weighted as the settings say."""
        losses, weights = compute_losses(cast(LiteMaps, answer), batch.labels, LITE), self._settings.loss
        total, terms = losses.total(weights), vars(losses)
        more = self._ties(cast(LiteMaps, answer), batch)
        total = total + sum(getattr(weights, name) * value for name, value in more.items())
        return Loss(total, terms | {name: value.detach() for name, value in more.items()})

    def _ties(self, answer: LiteMaps, batch: LiteBatch) -> dict[str, Tensor]:
        """What ties the network to others: its trunk to where it began, its answers to those of its average."""
        found: dict[str, Tensor] = {}
        if self._state is None:
            return found
        if self._anchor is not None:
            found["trunk_anchor"] = self._anchor.distance(self._state.network.trunk)
        if self._settings.loss.consistency > 0:
            found["consistency"] = self._consistency(self._state.averaged, answer, batch)
        return found

    def _consistency(self, teacher: Lite, answer: LiteMaps, batch: LiteBatch) -> Tensor:
        rows = batch.real.clone()
        rows[0] |= ~rows.any()  # every process has to go through this; of a rendered crop nothing is unknown
        crops = batch.clean[rows].contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), autocast(self._settings):
            seen = teacher(crops)
        known, fit = of_rows(batch.labels, rows), teacher.confidence_fit
        taught = taught_labels(seen, known, fit, LITE, crops.shape[-1])
        return consistency(of_samples(answer, rows), taught, LITE, self._settings.loss)

    def validate(self, network: Lite) -> dict[str, float]:
        """Errors on held-out hands."""
        return validate(network, self._held_out, self._backgrounds, self._settings)


def _anchored(settings: Settings) -> bool:
    return settings.loss.trunk_anchor > 0


def start_network(settings: Settings) -> Lite:
    """`lite` with the weights the run starts from: those of the settings, or MediaPipe's trunk and random heads."""
    network = Lite()
    if settings.start is None:
        load_mediapipe_weights(network.trunk)
    else:
        load_weights(network, settings.start)
    return network

"""Training `lite` on banks of rendered hands: what the loop asks for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor

from engines.networks.checkpoints import load_weights
from engines.networks.lite import Lite, LiteMaps
from engines.spec import LITE
from training.banks.banks import load_mix
from training.lite.augment import Augmenter
from training.lite.backgrounds import load_backgrounds
from training.lite.batch import Labels, random_crops, stored_batch
from training.lite.losses import compute_losses
from training.lite.mediapipe_trunk import load_mediapipe_weights
from training.lite.validation import validate
from training.loop.ranks import Ranks
from training.loop.state import TrainingState, apply_schedule
from training.loop.task import Loss
from training.settings import Settings


@dataclass(frozen=True)
class LiteBatch:
    """Crops (B, 3, S, S) in 0..1 and what should be said of them."""

    images: Tensor
    labels: Labels


class LiteTask:
    """Draws from the banks with the run's own random numbers, which the checkpoint keeps."""

    def __init__(self, settings: Settings, ranks: Ranks) -> None:
        """Read everything; raises UserError naming what is missing."""
        data = settings.data
        self.samples = settings.schedule.samples
        self._settings, self._ranks = settings, ranks
        self._backgrounds = load_backgrounds(data.backgrounds)
        self._held_out = load_mix(data.validation_sources(), data.picture_px, data.cache)
        self._bank = load_mix(data.training_sources(), data.picture_px, data.cache)
        self._augmenter: Augmenter | None = None

    def set_rates(self, state: TrainingState[Lite]) -> None:
        """The schedule of the settings."""
        apply_schedule(state, self._settings.schedule)

    def draw(self, state: TrainingState[Lite]) -> LiteBatch:
        """Every process draws the whole batch, with the same random numbers, and keeps its part."""
        settings = self._settings
        if self._augmenter is None:
            self._augmenter = Augmenter(self._backgrounds.to(settings.device), state.rng)
        stored = stored_batch(self._bank.rows(self._bank.draw(settings.batch, state.rng)), settings.device)
        crop_px = settings.crop_px(state.network.spec.input_px)
        hands, labels = random_crops(stored, crop_px, settings.data.crop_noise, state.rng)
        images, rows = self._augmenter(hands), self._ranks.rows()
        own = Labels(**{field.name: getattr(labels, field.name)[rows] for field in fields(Labels)})
        return LiteBatch(images[rows], own)

    def inputs(self, batch: LiteBatch) -> tuple[Tensor, ...]:
        """The crops."""
        return (batch.images.contiguous(memory_format=torch.channels_last),)

    def loss(self, answer: object, batch: LiteBatch) -> Loss:
        """All terms, weighted as the settings say."""
        losses = compute_losses(cast(LiteMaps, answer), batch.labels, LITE)
        return Loss(losses.total(self._settings.loss), vars(losses))

    def validate(self, network: Lite) -> dict[str, float]:
        """Errors on held-out renders."""
        return validate(network, self._held_out, self._backgrounds, self._settings)


def start_network(settings: Settings) -> Lite:
    """`lite` with the weights the run starts from: those of the settings, or MediaPipe's trunk and random heads."""
    network = Lite()
    if settings.start is None:
        load_mediapipe_weights(network.trunk)
    else:
        load_weights(network, settings.start)
    return network

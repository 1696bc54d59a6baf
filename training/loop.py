"""The training loop: one page, top to bottom."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from engines.errors import UserError
from training.augment import Augmenter
from training.batch import CropNoise, Labels, random_crops, stored_batch
from training.curves import RunLog
from training.datasets.banks import BankMix
from training.losses import compute_losses
from training.settings import Settings
from training.state import TrainingState, apply_schedule, average, save_state
from training.validation import validate


def train(settings: Settings, state: TrainingState, bank: BankMix, held_out: BankMix, backgrounds: Tensor) -> None:
    """Train until the schedule's end; checkpoints, log and curves go to `settings.output`.

    Raises UserError if the loss stops being a number; Ctrl-C leaves a checkpoint to go on from.
    """
    output = settings.output
    log = RunLog(output, state.samples)
    augmenter = Augmenter(backgrounds.to(settings.device), state.rng)
    progress = tqdm(
        total=settings.schedule.samples, initial=state.samples, unit="sample", desc="training", mininterval=5
    )
    recent, since = [], time.perf_counter()
    try:
        while state.samples < settings.schedule.samples:
            apply_schedule(state, settings.schedule)
            images, labels = draw_batch(bank, augmenter, settings, state)
            values = _step(state, images, labels, settings)
            average(state, averaging_decay(state.samples, settings))
            recent.append(values)
            state.samples += settings.batch
            progress.update(settings.batch)
            if state.samples // settings.validate_every == (state.samples - settings.batch) // settings.validate_every:
                continue
            rate = len(recent) * settings.batch / (time.perf_counter() - since)
            trained = {name: float(np.mean([v[name] for v in recent])) for name in recent[0]}
            log.add(state.samples, rate, trained, validate(state.averaged, held_out, backgrounds, settings))
            save_state(state, output / "last.pt")
            recent, since = [], time.perf_counter()
    finally:
        save_state(state, output / "last.pt")
        progress.close()


def averaging_decay(samples: int, settings: Settings) -> float:
    """Weight of the past in one step of the averaged network; short at first, so that it forgets where it began."""
    steps = samples / settings.batch
    return min(0.5 ** (settings.batch / settings.ema_half_life), (steps + 1) / (steps + 10))


def draw_batch(bank: BankMix, augmenter: Augmenter, settings: Settings, state: TrainingState) -> tuple[Tensor, Labels]:
    """A random batch: crops (B, 3, S, S) in 0..1 and their labels."""
    stored = stored_batch(bank.rows(bank.draw(settings.batch, state.rng)), settings.device)
    noise: CropNoise = settings.data.crop_noise
    hands, labels = random_crops(stored, settings.crop_px(state.network.spec.input_px), noise, state.rng)
    return augmenter(hands), labels


def _step(state: TrainingState, images: Tensor, labels: Labels, settings: Settings) -> dict[str, float]:
    """One step of the optimiser; returns the terms of the loss."""
    state.network.train()
    device_type = torch.device(settings.device).type
    with torch.autocast(device_type, torch.bfloat16, enabled=settings.bfloat16):
        maps = state.network(images.contiguous(memory_format=torch.channels_last))
    losses = compute_losses(maps, labels, state.network.spec)
    total = losses.total(settings.loss)
    if not math.isfinite(float(total.detach())):
        raise UserError(f"the loss is no number after {state.samples} samples: lower schedule.learning_rate")
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), settings.clip_norm)
    state.optimizer.step()
    return losses.values()


def checkpoint_path(settings: Settings) -> Path:
    """Where a run keeps what it needs to go on."""
    return settings.output / "last.pt"

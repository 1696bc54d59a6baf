"""The training loop: one page, top to bottom, the same for every network."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from engines.errors import UserError
from training.loop.curves import RunLog
from training.loop.ranks import ALONE, Ranks
from training.loop.run_settings import RunSettings, autocast
from training.loop.state import TrainingState, average, save_state
from training.loop.stopping import stop_signals
from training.loop.task import BatchT, NetworkT, Task


def train(
    settings: RunSettings, state: TrainingState[NetworkT], task: Task[NetworkT, BatchT], ranks: Ranks = ALONE
) -> None:
    """Train until the task's end; checkpoint, log, curves and TensorBoard's events go to `settings.output`.

    Raises UserError if the loss stops being a number or a picture cannot be read, and KeyboardInterrupt when it was
    asked to stop, after a whole step and with a checkpoint to go on from.
    """
    log = RunLog(settings.output, state.samples) if ranks.first else None
    progress = tqdm(
        total=task.samples,
        initial=state.samples,
        unit="sample",
        desc="training",
        mininterval=5,
        disable=not ranks.first,
    )
    recent, since, saved_at = [], time.perf_counter(), -1
    with progress, stop_signals() as asked_to_stop:
        while state.samples < task.samples and not ranks.any(asked_to_stop(), settings.device):
            task.set_rates(state)
            recent.append(_step(settings, state, task, ranks))
            average(state, averaging_decay(state.samples, settings))
            state.samples += settings.batch
            progress.update(settings.batch)
            if state.samples // settings.validate_every == (state.samples - settings.batch) // settings.validate_every:
                continue
            if log is not None:
                rate = len(recent) * settings.batch / (time.perf_counter() - since)
                trained = {name: float(np.mean([values[name] for values in recent])) for name in recent[0]}
                validated = task.validate(state.averaged)
                save_state(state, checkpoint_path(settings))  # first: a log that cannot be written loses no training
                log.add(state.samples, rate, trained, validated)
            recent, since, saved_at = [], time.perf_counter(), state.samples
        if ranks.first and saved_at != state.samples:
            save_state(state, checkpoint_path(settings))
        if log is not None:
            log.draw()
    if state.samples < task.samples:
        raise KeyboardInterrupt


def _step(
    settings: RunSettings, state: TrainingState[NetworkT], task: Task[NetworkT, BatchT], ranks: Ranks
) -> dict[str, float]:
    """One step of the optimiser; returns the terms of the loss over the whole batch."""
    network = ranks.parallel(state.network.train())
    batch = task.draw(state)
    with autocast(settings):
        answer = network(*task.inputs(batch))
    loss = task.loss(answer, batch)
    total, *terms = ranks.mean(torch.stack([loss.total, *loss.terms.values()]).detach()).tolist()
    if not np.isfinite(total):
        raise UserError(f"the loss is no number after {state.samples} samples: lower schedule.learning_rate")
    state.optimizer.zero_grad(set_to_none=True)
    state.scaler.scale(loss.total).backward()
    if settings.clip_norm is not None:
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(state.network.parameters(), settings.clip_norm)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    return dict(zip(loss.terms, terms, strict=True))


def averaging_decay(samples: int, settings: RunSettings) -> float:
    """Weight of the past in one step of the averaged network; short at first, so that it forgets where it began."""
    if not settings.ema_half_life:
        return 0.0
    steps = samples / settings.batch
    return min(0.5 ** (settings.batch / settings.ema_half_life), (steps + 1) / (steps + 10))


def checkpoint_path(settings: RunSettings) -> Path:
    """Where a run keeps what it needs to go on."""
    return settings.output / "last.pt"

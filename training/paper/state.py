"""Optimiser and learning rates of InterNet and RootNet: Adam, and a rate that falls in steps."""

from __future__ import annotations

import math

import torch

from training.loop.state import NetworkT, TrainingState, begin
from training.paper.settings import EpochSettings, PaperSettings


def new_paper_state(settings: PaperSettings, network: NetworkT) -> TrainingState[NetworkT]:
    """A run at its beginning."""
    network.to(settings.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its types do not
    rate, decay = settings.schedule.learning_rate, settings.weight_decay
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay)
    return begin(settings, network, optimizer)


def learning_rate(samples: int, epoch: int, schedule: EpochSettings) -> float:
    """The rate at a place in the run, for epochs of `epoch` samples."""
    warm = min(1.0, (samples + 1) / schedule.warmup) if schedule.warmup else 1.0
    if schedule.decay == "cosine":
        share = min(1.0, samples / (epoch * schedule.epochs))
        return schedule.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * share))
    passed = sum(samples >= step * epoch for step in schedule.steps)
    return schedule.learning_rate * warm / schedule.divisor**passed

"""Optimiser, learning rates and learning parts of a run of `lite`: warm up, hold, fall to zero."""

from __future__ import annotations

import math

import torch

from engines.networks.lite import Lite
from engines.networks.mobile_trunk import depthwise_kernels, early_parameters
from training.lite.settings import ScheduleSettings, Settings
from training.loop.state import TrainingState, begin


def new_state(settings: Settings, network: Lite) -> TrainingState[Lite]:
    """A run of `lite` at its beginning, from a network that may have been started from other weights."""
    network.to(settings.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its types do not
    trunk = list(network.trunk.parameters())
    known = {id(parameter) for parameter in trunk}
    heads = [parameter for parameter in network.parameters() if id(parameter) not in known]
    groups = [{"params": heads, "factor": 1.0}, {"params": trunk, "factor": settings.schedule.trunk_factor}]
    optimizer = torch.optim.AdamW(groups, lr=settings.schedule.learning_rate, weight_decay=settings.weight_decay)
    return begin(settings, network, optimizer)


def schedule_factor(samples: int, schedule: ScheduleSettings) -> float:
    """Share of the full learning rate at a place in the run."""
    warm = min(1.0, (samples + 1) / max(schedule.warmup, 1))
    if samples <= schedule.decay_from:
        return warm
    share = min(1.0, (samples - schedule.decay_from) / max(schedule.samples - schedule.decay_from, 1))
    return warm * max(0.5 * (1 + math.cos(math.pi * share)), 0.002)


def apply_schedule(state: TrainingState[Lite], schedule: ScheduleSettings) -> None:
    """Set learning rates and decide which parts of the trunk learn."""
    factor = schedule_factor(state.samples, schedule)
    for group in state.optimizer.param_groups:
        group["lr"] = schedule.learning_rate * group["factor"] * factor
    released = state.samples >= schedule.release_trunk
    state.network.trunk.requires_grad_(released)
    frozen = early_parameters(state.network.trunk, schedule.frozen_stages)
    if not schedule.depthwise:
        frozen += depthwise_kernels(state.network.trunk)
    for parameter in frozen:
        parameter.requires_grad_(False)

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
    parts: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        parts.setdefault(_factor(name, settings.schedule), []).append(parameter)
    groups = [{"params": parameters, "factor": factor} for factor, parameters in parts.items()]
    optimizer = torch.optim.AdamW(groups, lr=settings.schedule.learning_rate, weight_decay=settings.weight_decay)
    return begin(settings, network, optimizer)


def _factor(name: str, schedule: ScheduleSettings) -> float:
    """A parameter's learning rate, as a share of the run's."""
    if name.startswith("trunk."):
        return schedule.trunk_factor
    return schedule.added_factor if name.startswith(Lite.added) else 1.0


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

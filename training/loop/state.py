"""What a run carries from step to step: network, averaged network, optimiser, place in the schedule; and its file."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from engines.errors import UserError
from engines.files import in_one_step
from engines.networks.reading import read_checkpoint
from training.loop.run_settings import RunSettings

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass
class TrainingState(Generic[NetworkT]):
    """The only mutable object of a run."""

    network: NetworkT
    averaged: NetworkT
    optimizer: torch.optim.Optimizer
    rng: torch.Generator
    scaler: torch.amp.GradScaler
    """Keeps half-precision gradients from vanishing; does nothing in other precisions."""
    samples: int = 0


def begin(settings: RunSettings, network: NetworkT, optimizer: torch.optim.Optimizer) -> TrainingState[NetworkT]:
    """A run at its beginning; the network is on its device already."""
    averaged = copy.deepcopy(network).requires_grad_(False).eval()
    rng = torch.Generator(device=settings.device).manual_seed(settings.seed)
    scaler = torch.amp.GradScaler(torch.device(settings.device).type, enabled=settings.amp() == "fp16")
    return TrainingState(network, averaged, optimizer, rng, scaler)


@torch.no_grad()
def average(state: TrainingState[NetworkT], decay: float) -> None:
    """Move the averaged network a step towards the current one; batch-norm statistics are taken over."""
    pairs = list(zip(state.averaged.parameters(), state.network.parameters(), strict=True))
    torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - decay)
    for kept, current in zip(state.averaged.buffers(), state.network.buffers(), strict=True):
        kept.copy_(current)


def save_state(state: TrainingState[NetworkT], path: Path) -> None:
    """Write everything that an interrupted run needs, whole or not at all."""
    content = {
        "network": state.network.state_dict(),
        "averaged": state.averaged.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "rng": state.rng.get_state(),
        "scaler": state.scaler.state_dict(),
        "samples": state.samples,
    }
    with in_one_step(path, alone=True) as whole:
        torch.save(content, whole)


def load_state(state: TrainingState[NetworkT], path: Path) -> None:
    """Continue from a file of `save_state`; raises UserError if it belongs to another network."""
    content = read_checkpoint(path)
    try:
        _load(state.network, content["network"])
        _load(state.averaged, content["averaged"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.scaler.load_state_dict(content.get("scaler", {}) if state.scaler.is_enabled() else {})
        state.rng.set_state(content["rng"])
        state.samples = int(content["samples"])
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not a checkpoint of this network; remove it to start anew") from error


def _load(module: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    module.load_state_dict(weights)

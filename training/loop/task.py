"""What the loop asks of a network that it trains: batches, a loss, learning rates, held-out errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor, nn

from training.loop.state import TrainingState

BatchT = TypeVar("BatchT")
NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True)
class Loss:
    """What a batch costs."""

    total: Tensor
    """What is minimised."""
    terms: dict[str, Tensor]
    """Its parts by name, before their weights, for the log."""


class Task(Protocol[NetworkT, BatchT]):
    """One network with its data; `training.loop.loop.train` is the rest."""

    samples: int
    """Length of the whole run."""

    def set_rates(self, state: TrainingState[NetworkT]) -> None:
        """Set learning rates, and what of the network learns, for the next step."""

    def draw(self, state: TrainingState[NetworkT]) -> BatchT:
        """This process's part of the next batch; raises UserError if a picture cannot be read."""

    def inputs(self, batch: BatchT) -> tuple[Tensor | int, ...]:
        """What the network is called with, under autocast."""

    def loss(self, answer: object, batch: BatchT) -> Loss:
        """What its answer costs, outside autocast."""

    def validate(self, network: NetworkT) -> dict[str, float]:
        """Held-out errors by name; empty if nothing is held out."""

"""Holds the trunk near the weights it began with: what it knows of real hands must survive training on renders.

L2-SP (Li et al., "Explicit inductive bias for transfer learning", ICML 2018), each layer in units of its own size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.networks.mobile_trunk import MobileTrunk


class TrunkAnchor:
    """Where a trunk began, and how far it has gone."""

    def __init__(self, start: MobileTrunk) -> None:
        self._start = {name: value.detach().clone() for name, value in start.named_parameters()}
        self._squares = {name: value.square().sum().clamp_min(1.0e-12) for name, value in self._start.items()}

    def distance(self, trunk: MobileTrunk) -> Tensor:
        """Mean over the weights that learn of |w - w0|^2 / |w0|^2, with its gradient; 0 if none of them learns."""
        learning = [(name, value) for name, value in trunk.named_parameters() if value.requires_grad and value.ndim > 1]
        if not learning:
            return torch.zeros((), device=next(trunk.parameters()).device)
        far = [(value - self._start[name]).square().sum() / self._squares[name] for name, value in learning]
        return torch.stack(far).mean()

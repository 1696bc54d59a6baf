"""InterNet and RootNet of the same crops side by side on a GPU: neither fills it at one or two crops (torch)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from engines.networks.decode import BytesInput
from engines.networks.decode_paper import DeployedPaper

_Function = TypeVar("_Function", bound=Callable[..., Any])


class SideBySide(nn.Module):
    """A graph that holds both networks, RootNet on a stream of its own; the same answers as the graph itself.

    May be captured in a CUDA graph, which keeps the fork. `compiled` runs each network through torch.compile.
    """

    def __init__(self, graph: BytesInput, compiled: bool = False) -> None:
        super().__init__()
        if not can_overlap(graph):
            raise ValueError("there is one network only")
        self.graph = graph
        assert isinstance(graph.deployed, DeployedPaper)
        self._pose, self._factors = graph.deployed.pose, graph.deployed.factors
        if compiled:
            self._pose, self._factors = compile_static(self._pose), compile_static(self._factors)
        self._second: torch.cuda.Stream | None = None

    def forward(self, crops_bgr: Tensor) -> tuple[Tensor, ...]:
        """As the graph's own forward."""
        image = self.graph.image(crops_bgr)
        if image.device.type != "cuda":
            return (*self._pose(image), self._factors(image))
        first = torch.cuda.current_stream(image.device)
        second = self._second = self._second or torch.cuda.Stream(image.device)
        second.wait_stream(first)
        with torch.cuda.stream(second):
            gamma = self._factors(image)
        found = self._pose(image)
        first.wait_stream(second)
        image.record_stream(second)
        gamma.record_stream(first)
        return (*found, gamma)


def can_overlap(graph: BytesInput) -> bool:
    """Whether the graph holds a RootNet beside its InterNet."""
    return isinstance(graph.deployed, DeployedPaper) and graph.deployed.has_rootnet


def compile_static(function: _Function) -> _Function:
    """`function` through torch.compile: kernels are searched for each shape; CUDA graphs are left to the caller."""
    return cast(_Function, torch.compile(function, dynamic=False, mode="max-autotune-no-cudagraphs"))

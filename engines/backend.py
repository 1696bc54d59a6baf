"""What every compiled network looks like from outside, and the one place that picks an implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.presets import weights_of

BackendName = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "fp32", "bf16"]
BATCHES: Final = (1, 2)
"""Batch sizes that are compiled: one crop for near hands, two for hands apart."""


class Backend(Protocol):
    """A network ready to run. One thread at a time; the arrays it returns are overwritten by the next call."""

    name: str
    precision: str
    input_px: int

    def __call__(self, crops_bgr: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """(B, S, S, 3) uint8 BGR crops, B of `BATCHES` -> the tensors of `spec.OUTPUT_NAMES`."""
        ...


@dataclass(frozen=True)
class EngineRequest:
    """What the user asked for."""

    preset: str = "lite"
    weights: Path | None = None
    backend: BackendName = "auto"
    precision: Precision = "auto"
    threads: int = 0
    """CPU threads of the network; 0 lets the runtime choose."""
    cache: Path | None = None
    """Folder of compiled engines; None is the user's cache folder."""


def open_backend(request: EngineRequest, say: Callable[[str], None] = lambda _: None) -> Backend:
    """Load the engine, building it first if the cache has none that fits; `say` gets the lines a user should see.

    `auto` takes OpenVINO and falls back to torch. Raises UserError if a named backend is not installed.
    """
    weights = weights_of(request.preset, request.weights)
    choice = request.backend
    if choice == "auto":
        choice = "openvino" if find_spec("openvino") else "torch"
        if choice == "torch":
            say("openvino is not installed: running the network in torch, several times slower")
    if choice == "openvino":
        if not find_spec("openvino"):
            raise UserError("backend openvino is not installed: run make setup, or choose --engine torch")
        from engines.openvino_backend import OpenVinoBackend

        return OpenVinoBackend.open(request, weights, say)
    if choice == "torch":
        from engines.torch_backend import TorchBackend

        return TorchBackend(request, weights)
    raise UserError(f"backend {choice!r} is unknown; choose auto, openvino or torch")

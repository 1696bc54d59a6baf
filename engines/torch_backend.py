"""The network in plain torch: the yardstick of the other backends, and what runs where none is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.backend import BackendUnavailable, EngineRequest
from engines.decode import BytesInput
from engines.errors import UserError
from engines.graph import deployed_module
from engines.overlap import SideBySide, can_overlap, compile_static
from engines.presets import spec_of
from engines.spec import OUTPUT_NAMES


class TorchBackend:
    """Runs on the GPU if torch sees one, else on the CPU: there in fp32 unless bf16 is asked for, on a GPU in fp16.

    On a GPU each batch size becomes a CUDA graph at its first use. Raises BackendUnavailable for other precisions.
    """

    name = "torch"

    def __init__(self, request: EngineRequest, weights: Path) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.precision = _precision(request, self.device)
        self.input_px = spec_of(request.preset).input_px
        if request.threads:
            torch.set_num_threads(request.threads)
        graph = deployed_module(request.preset, weights, "fp16" if self.precision == "fp16" else "fp32")
        graph.to(self.device)
        graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its types do not
        self._module = _arranged(graph, self.device, request.compiled)
        self._graphs: dict[int, Callable[[Tensor], tuple[Tensor, ...]]] = {}

    @torch.inference_mode()
    def __call__(self, crops_bgr: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`."""
        if crops_bgr.shape[1:] != (self.input_px, self.input_px, 3):
            raise UserError(f"crops have shape {crops_bgr.shape}, the network takes {self.input_px} px squares")
        run = self._forward if self.device.type == "cpu" else self._graph(len(crops_bgr))
        outputs = run(torch.from_numpy(crops_bgr))
        return {name: value.float().cpu().numpy() for name, value in zip(OUTPUT_NAMES, outputs, strict=True)}

    def _forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self._module(crops)

    def _graph(self, batch: int) -> Callable[[Tensor], tuple[Tensor, ...]]:
        if batch not in self._graphs:
            self._graphs[batch] = self._captured(batch)
        return self._graphs[batch]

    def _captured(self, batch: int) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """The forward pass of one batch size as a CUDA graph over fixed buffers."""
        held = torch.zeros((batch, self.input_px, self.input_px, 3), dtype=torch.uint8, device=self.device)
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(3):  # kernels are chosen and memory is taken before the capture
                self._forward(held)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            outputs = self._forward(held)

        def replay(crops: Tensor) -> tuple[Tensor, ...]:
            held.copy_(crops)
            graph.replay()
            return outputs

        return replay


def _arranged(graph: BytesInput, device: torch.device, compiled: bool) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """The graph as it runs best: two networks beside each other on a GPU, through torch.compile if asked for."""
    if device.type == "cuda" and can_overlap(graph):
        return SideBySide(graph, compiled)
    return compile_static(graph) if compiled else graph


def _precision(request: EngineRequest, device: torch.device) -> str:
    if request.precision == "fp16" and device.type == "cpu":
        raise BackendUnavailable("backend torch computes fp16 on a GPU only; choose --precision fp32 or bf16")
    if request.precision == "int8":
        raise BackendUnavailable("backend torch does not compute in int8; choose --engine openvino or tensorrt")
    if request.precision == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    return request.precision

"""The network in plain torch: the yardstick of the other backends, and what runs where none is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.backends.captured import Captured
from engines.backends.overlap import SideBySide, can_overlap, compile_static
from engines.backends.tf32 import tf32
from engines.building.graph import GraphPrecision, deployed_module
from engines.contract import EngineRequest, unavailable_if_it_fails
from engines.errors import BackendUnavailable, UserError
from engines.geometry.crop import Crop
from engines.geometry.cutting import CpuCutter
from engines.geometry.device_cutting import DeviceCutter
from engines.networks.decode import BytesInput
from engines.presets import spec_of
from engines.spec import OUTPUT_NAMES


class TorchBackend:
    """Runs on the GPU if torch sees one, else on the CPU: there in fp32 unless bf16 is asked for, on a GPU in fp16.

    On a GPU each batch size of the request is a CUDA graph, captured here; other sizes run on the CPU only. Raises
    BackendUnavailable for other precisions, and for whatever the GPU cannot do.
    """

    name = "torch"
    folder: Path | None = None

    def __init__(self, request: EngineRequest, weights: Path, on_cpu: bool = False) -> None:
        """`on_cpu` leaves a GPU alone."""
        self.device = torch.device("cuda" if torch.cuda.is_available() and not on_cpu else "cpu")
        self.precision = _precision(request, self.device)
        spec = spec_of(request.preset)
        self.input_px, self.depth_along_ray = spec.input_px, spec.depth_along_ray
        if request.threads:
            torch.set_num_threads(request.threads)
        precision: GraphPrecision = "fp16" if self.precision == "fp16" else "fp32"
        graph = deployed_module(request.preset, weights, precision, witness=request.witness)
        self.witness = graph.witness
        self._graphs: dict[int, Captured] = {}
        self._cutter: CpuCutter | DeviceCutter = CpuCutter(self.input_px, max(request.batches))
        with unavailable_if_it_fails(self.name):
            graph.to(self.device)
            graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its types do not
            self._module = _arranged(graph, self.device, request.compiled)
            if self.device.type == "cuda":
                self._take_gpu(request.batches)

    def __call__(self, crops_bgr: NDArray[np.uint8] | Tensor) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`; on a GPU also tensors there, such as `cut` gives."""
        if crops_bgr.shape[1:] != (self.input_px, self.input_px, 3):
            raise UserError(f"crops have shape {tuple(crops_bgr.shape)}, the network takes {self.input_px} px squares")
        if self.device.type == "cuda":
            return self._graph(len(crops_bgr))(crops_bgr)
        with torch.inference_mode():
            outputs = self._forward(torch.as_tensor(crops_bgr))
            return {name: value.float().numpy() for name, value in zip(OUTPUT_NAMES, outputs, strict=True)}

    def cut(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> Any:
        """As `Backend.cut`."""
        return self._cutter(image_bgr, crops)

    def _take_gpu(self, batches: Sequence[int]) -> None:
        stream = torch.cuda.Stream(self.device)
        self._cutter = DeviceCutter(self.device, self.input_px, max(batches))
        with tf32(False):
            for batch in batches:
                self._graphs[batch] = Captured(self._forward, (batch, self.input_px, self.input_px, 3), stream)

    def _forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self._module(crops)

    def _graph(self, batch: int) -> Captured:
        if batch not in self._graphs:
            raise UserError(f"a batch of {batch} crops was not compiled; use {tuple(self._graphs)}")
        return self._graphs[batch]


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

"""TensorRT 10, TensorRT 11 and TensorRT-RTX on an NVIDIA GPU: one module for all.

Inputs and outputs are torch tensors bound by address, work runs on a stream of its own, and each batch size is one
CUDA graph: TensorRT-RTX captures it itself, for TensorRT torch does. Only pinned memory crosses the bus: bytes of the
picture (or of crops) up, some hundred numbers down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.backends.gpu import nvidia_gpu
from engines.backends.tensorrt_engine import PLAN_FILE, ensure_engine, graph_precision
from engines.backends.tensorrt_slots import RuntimeCache, Slot
from engines.building.tensorrt_package import Flavour, TensorRt, load_tensorrt, supported_targets
from engines.contract import EngineRequest, Say, unavailable_if_it_fails
from engines.errors import BackendUnavailable, UserError
from engines.geometry.crop import Crop
from engines.geometry.device_cutting import DeviceCutter
from engines.presets import spec_of


class TensorRtBackend:
    """One execution context per batch size, with its buffers, kept from call to call."""

    def __init__(self, tensorrt: TensorRt, folder: Path, request: EngineRequest, witness: bool) -> None:
        self.name: str = tensorrt.flavour
        self.precision = graph_precision(tensorrt.flavour, request)
        spec = spec_of(request.preset)
        self.input_px, self.depth_along_ray = spec.input_px, spec.depth_along_ray
        self.witness = witness
        self.folder: Path | None = folder
        self._device = torch.device("cuda", torch.cuda.current_device())
        self._stream = torch.cuda.Stream(self._device)
        # Engine and contexts live in the runtime; it must outlive them.
        self._runtime = tensorrt.package.Runtime(tensorrt.logger)
        tensorrt.logger.lines.clear()
        with torch.cuda.device(self._device):
            self._engine = self._runtime.deserialize_cuda_engine((folder / PLAN_FILE).read_bytes())
            if self._engine is None:
                raise tensorrt.unavailable("does not load its engine")
            self._jit = RuntimeCache(tensorrt, self._engine, folder)
            self._slots = {
                batch: Slot(tensorrt, self._engine, self._jit.config, k, batch, self._stream)
                for k, batch in enumerate(request.batches)
            }
            self._cutter = DeviceCutter(self._device, self.input_px, max(request.batches))
        self._jit.save()

    @torch.inference_mode()
    def __call__(self, crops_bgr: NDArray[np.uint8] | torch.Tensor) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`, also for tensors on the GPU, such as `cut` gives in the current stream."""
        slot = self._slot(tuple(crops_bgr.shape))
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            slot.take(crops_bgr)
            slot.run()
            slot.fetch()
        self._stream.synchronize()
        return slot.arrays

    def cut(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> torch.Tensor:
        """As `Backend.cut`: on the GPU, in the current stream."""
        return self._cutter(image_bgr, crops)

    def _slot(self, shape: tuple[int, ...]) -> Slot:
        slot = self._slots.get(shape[0])
        if slot is None or shape[1:] != tuple(slot.input.shape[1:]):
            raise UserError(
                f"crops of shape {shape} were not compiled; use {self.input_px} px, {tuple(self._slots)} each"
            )
        return slot

    @classmethod
    def open(cls, flavour: Flavour, request: EngineRequest, weights: Path, say: Say) -> TensorRtBackend:
        """Load the engine from the cache, or build it there first; raises BackendUnavailable where it cannot run."""
        tensorrt = load_tensorrt(flavour)
        gpu = nvidia_gpu()
        if gpu is None or not torch.cuda.is_available():
            raise BackendUnavailable(
                f"backend {flavour} needs an NVIDIA GPU, its driver and a CUDA build of torch, and none answers: "
                "choose --engine openvino"
            )
        targets = supported_targets(tensorrt)
        if targets and gpu.capability not in targets:
            raise BackendUnavailable(f"{flavour} does not support {gpu.name} ({gpu.capability}): choose --engine torch")
        folder, key = ensure_engine(flavour, request, weights, say)
        with unavailable_if_it_fails(flavour):
            return cls(tensorrt, folder, request, bool(key.witness_sha256))

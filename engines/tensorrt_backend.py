"""TensorRT 10, TensorRT 11 and TensorRT-RTX on an NVIDIA GPU: one module for all.

Inputs and outputs are torch tensors bound by address, work runs on a stream of its own, and each batch size is one
CUDA graph: TensorRT-RTX captures it itself, for TensorRT torch does. Only pinned memory crosses the bus: bytes of the
crops up, some hundred numbers down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from engines.backend import BackendUnavailable, EngineRequest, Flavour, Say
from engines.cache import replace_file
from engines.errors import UserError
from engines.gpu import nvidia_gpu
from engines.presets import spec_of
from engines.spec import OUTPUT_NAMES
from engines.tensorrt_build import INPUT_NAME, TensorRt, load_tensorrt, supported_targets
from engines.tensorrt_engine import PLAN_FILE, ensure_engine, graph_precision

_WARM_UPS: Final = 3


class TensorRtBackend:
    """One execution context per batch size, with its buffers, kept from call to call."""

    def __init__(self, tensorrt: TensorRt, folder: Path, request: EngineRequest) -> None:
        self.name: str = tensorrt.flavour
        self.precision = graph_precision(tensorrt.flavour, request)
        self.input_px = spec_of(request.preset).input_px
        self._device = torch.device("cuda", torch.cuda.current_device())
        self._stream = torch.cuda.Stream(self._device)
        # Engine and contexts live in the runtime; it must outlive them.
        self._runtime = tensorrt.package.Runtime(tensorrt.logger)
        tensorrt.logger.lines.clear()
        with torch.cuda.device(self._device):
            self._engine = self._runtime.deserialize_cuda_engine((folder / PLAN_FILE).read_bytes())
            if self._engine is None:
                raise BackendUnavailable(tensorrt.failure("does not load its engine") + "; choose --engine openvino")
            self._jit = _RuntimeCache(tensorrt, self._engine, folder / f"runtime-{_capability()}.cache")
            self._slots = {
                batch: _Slot(tensorrt, self._engine, self._jit.config, k, batch, self._stream)
                for k, batch in enumerate(request.batches)
            }
        self._jit.save()

    @torch.inference_mode()
    def __call__(self, crops_bgr: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`."""
        slot = self._slot(crops_bgr.shape)
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            slot.staging.copy_(torch.from_numpy(crops_bgr))
            slot.input.copy_(slot.staging, non_blocking=True)
            slot.run()
            for name, tensor in slot.outputs.items():
                slot.answers[name].copy_(tensor, non_blocking=True)
        self._stream.synchronize()
        return slot.arrays

    @torch.inference_mode()
    def on_device(self, crops_bgr: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """The same for crops on the GPU, (B, S, S, 3) uint8: outputs stay there, in the caller's stream."""
        slot = self._slot(tuple(crops_bgr.shape))
        callers = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(callers)
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            slot.input.copy_(crops_bgr, non_blocking=True)
            slot.run()
        callers.wait_stream(self._stream)
        return slot.outputs

    def _slot(self, shape: tuple[int, ...]) -> _Slot:
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
        folder, _ = ensure_engine(flavour, request, weights, say)
        return cls(tensorrt, folder, request)


class _Slot:
    """Context and buffers of one batch size."""

    def __init__(
        self, tensorrt: TensorRt, engine: Any, config: Any, profile: int, batch: int, stream: torch.cuda.Stream
    ) -> None:
        self._tensorrt = tensorrt
        self._context = engine.create_execution_context() if config is None else engine.create_execution_context(config)
        if self._context is None:
            raise BackendUnavailable(tensorrt.failure("gives no execution context") + "; choose --engine openvino")
        self._context.set_optimization_profile_async(profile, stream.cuda_stream)
        stream.synchronize()
        shape = (batch, *tuple(engine.get_tensor_shape(INPUT_NAME))[1:])
        self._context.set_input_shape(INPUT_NAME, shape)
        self.input = torch.zeros(shape, dtype=torch.uint8, device=stream.device)
        self.staging = torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        shapes = {name: tuple(self._context.get_tensor_shape(name)) for name in OUTPUT_NAMES}
        self.outputs = {name: torch.zeros(shapes[name], device=stream.device) for name in OUTPUT_NAMES}
        self.answers = {name: torch.zeros(shapes[name], pin_memory=True) for name in OUTPUT_NAMES}
        self.arrays = {name: answer.numpy() for name, answer in self.answers.items()}
        for name, tensor in {INPUT_NAME: self.input, **self.outputs}.items():
            self._context.set_tensor_address(name, tensor.data_ptr())
        self.run = self._captured(stream)

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise RuntimeError(self._tensorrt.failure("failed to run"))

    def _captured(self, stream: torch.cuda.Stream) -> Callable[[], None]:
        """The cheapest way to start the work: replay a CUDA graph, or enqueue where the runtime has its own graphs."""
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._enqueue()
        stream.synchronize()
        if hasattr(self._tensorrt.package, "CudaGraphStrategy"):
            return self._enqueue
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._enqueue()
        except RuntimeError:  # some layer cannot be captured: enqueueing is slower, and right
            stream.synchronize()
            return self._enqueue
        return graph.replay


class _RuntimeCache:
    """TensorRT-RTX compiles its kernels at first use and keeps them here; TensorRT has no such thing."""

    def __init__(self, tensorrt: TensorRt, engine: Any, path: Path) -> None:
        self._path = path
        self._cache: Any = None
        self.config: Any = None
        if not hasattr(tensorrt.package, "IRuntimeCache"):
            return
        self.config = engine.create_runtime_config()
        self.config.cuda_graph_strategy = tensorrt.package.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._cache = self.config.create_runtime_cache()
        if path.is_file():
            self._cache.deserialize(path.read_bytes())
        self.config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Write it beside the engine; a cache that may only be read stays as it is."""
        if self._cache is not None:
            content = self._cache.serialize()
            if content is not None:
                replace_file(self._path, bytes(content))


def _capability() -> str:
    gpu = nvidia_gpu()
    return gpu.capability if gpu else "none"

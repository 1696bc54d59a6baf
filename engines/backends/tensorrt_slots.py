"""What a TensorRT engine needs to run: a context with its buffers per batch size, and TensorRT-RTX's kernels kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from engines.backends.gpu import nvidia_gpu
from engines.building.tensorrt_package import TensorRt
from engines.files import replace_file
from engines.spec import INPUT_NAME, OUTPUT_NAMES

_WARM_UPS: Final = 3


class Slot:
    """Context and buffers of one batch size."""

    def __init__(
        self, tensorrt: TensorRt, engine: Any, config: Any, profile: int, batch: int, stream: torch.cuda.Stream
    ) -> None:
        self._tensorrt = tensorrt
        self._context = engine.create_execution_context() if config is None else engine.create_execution_context(config)
        if self._context is None:
            raise tensorrt.unavailable("gives no execution context")
        self._context.set_optimization_profile_async(profile, stream.cuda_stream)
        stream.synchronize()
        shape = (batch, *tuple(engine.get_tensor_shape(INPUT_NAME))[1:])
        self._context.set_input_shape(INPUT_NAME, shape)
        self.input = torch.zeros(shape, dtype=torch.uint8, device=stream.device)
        self._staging = torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        shapes = {name: tuple(self._context.get_tensor_shape(name)) for name in OUTPUT_NAMES}
        self._outputs = {name: torch.zeros(shapes[name], device=stream.device) for name in OUTPUT_NAMES}
        self._answers = {name: torch.zeros(shapes[name], pin_memory=True) for name in OUTPUT_NAMES}
        self.arrays = {name: answer.numpy() for name, answer in self._answers.items()}
        for name, tensor in {INPUT_NAME: self.input, **self._outputs}.items():
            self._context.set_tensor_address(name, tensor.data_ptr())
        stream.wait_stream(torch.cuda.current_stream(stream.device))  # which fills the buffers
        self.run = self._captured(stream)

    def take(self, crops_bgr: NDArray[np.uint8] | torch.Tensor) -> None:
        """Put crops into the network's input, in the current stream."""
        if isinstance(crops_bgr, torch.Tensor):
            self.input.copy_(crops_bgr, non_blocking=True)
            return
        np.copyto(self._staging.numpy(), crops_bgr)
        self.input.copy_(self._staging, non_blocking=True)

    def fetch(self) -> None:
        """Bring the outputs into `arrays`, in the current stream: they are there when it is done."""
        for name, tensor in self._outputs.items():
            self._answers[name].copy_(tensor, non_blocking=True)

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


class RuntimeCache:
    """TensorRT-RTX compiles its kernels at first use and keeps them here; TensorRT has no such thing."""

    def __init__(self, tensorrt: TensorRt, engine: Any, folder: Path) -> None:
        gpu = nvidia_gpu()
        self._path = folder / f"runtime-{gpu.capability if gpu else 'none'}.cache"
        self._cache: Any = None
        self.config: Any = None
        if not hasattr(tensorrt.package, "IRuntimeCache"):
            return
        self.config = engine.create_runtime_config()
        self.config.cuda_graph_strategy = tensorrt.package.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        if hasattr(self.config, "dynamic_shapes_kernel_specialization_strategy"):
            # By default the kernels for our batch sizes are compiled beside the work, and are not there yet at `save`.
            eager = tensorrt.package.DynamicShapesKernelSpecializationStrategy.EAGER
            self.config.dynamic_shapes_kernel_specialization_strategy = eager
        self._cache = self.config.create_runtime_cache()
        if self._path.is_file():
            self._cache.deserialize(self._path.read_bytes())
        self.config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Write it beside the engine; a cache that may only be read stays as it is."""
        if self._cache is not None:
            content = self._cache.serialize()
            if content is not None:
                replace_file(self._path, bytes(content))

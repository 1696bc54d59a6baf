"""A network's pass over one batch size as a CUDA graph (torch): one copy up, one replay, one copy down, one wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.spec import OUTPUT_NAMES

_WARM_UPS: Final = 3


class Captured:
    """Fixed buffers and the graph over them, on a stream of its own; one thread at a time."""

    @torch.inference_mode()
    def __init__(
        self, forward: Callable[[Tensor], tuple[Tensor, ...]], shape: Sequence[int], stream: torch.cuda.Stream
    ):
        """`forward` takes uint8 crops of `shape` (B, S, S, 3). Raises RuntimeError for what the GPU cannot do."""
        self._stream = stream
        self._crops = torch.zeros(tuple(shape), dtype=torch.uint8, device=stream.device)
        self._staging = torch.zeros(tuple(shape), dtype=torch.uint8, pin_memory=True)
        stream.wait_stream(torch.cuda.current_stream(stream.device))  # weights may still be on their way
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS - 1):  # kernels are chosen and memory is taken before the capture
                forward(self._crops)
            shapes = [tuple(value.shape) for value in forward(self._crops)]
        stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
            self._packed = packed(forward(self._crops))
        self._answers = torch.zeros(self._packed.shape, pin_memory=True)
        self._arrays = unpacked(self._answers.numpy(), shapes)

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.uint8] | Tensor) -> Mapping[str, NDArray[np.float32]]:
        """The tensors of `spec.OUTPUT_NAMES`; crops are in the computer's memory, or made in the current stream."""
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        with torch.cuda.stream(self._stream):
            if isinstance(crops, Tensor):
                self._crops.copy_(crops, non_blocking=True)
            else:
                np.copyto(self._staging.numpy(), crops)
                self._crops.copy_(self._staging, non_blocking=True)
            self._graph.replay()
            self._answers.copy_(self._packed, non_blocking=True)
        self._stream.synchronize()
        return self._arrays


def packed(outputs: Sequence[Tensor]) -> Tensor:
    """All outputs one after the other, (N,) fp32."""
    return torch.cat([value.float().flatten() for value in outputs])


def unpacked(numbers: NDArray[np.float32], shapes: Sequence[tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Views of what was `packed`, by the names of `spec.OUTPUT_NAMES`."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(numbers, ends[:-1])
    return {name: part.reshape(shape) for name, part, shape in zip(OUTPUT_NAMES, parts, shapes, strict=True)}

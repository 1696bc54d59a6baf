"""How fast a network could run at best on this machine: its operations over the measured matrix rate, its bytes over
the measured bandwidth. No engine is faster than the larger of the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engines.backends.tf32 import tf32
from engines.networks.decode import BytesInput

_DTYPES: Final = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_TRIALS: Final = 60


@dataclass(frozen=True)
class Work:
    """What one pass through a network takes, whatever computes it."""

    operations: float
    """Multiplications and additions."""
    weights: int
    """Numbers that are read once a batch."""
    features: int
    """Numbers that its layers write, and the next ones read."""


@dataclass(frozen=True)
class Machine:
    """What was measured of the device in one precision."""

    device: str
    precision: str
    operations_per_s: float
    bytes_per_s: float


@dataclass(frozen=True)
class Floor:
    """Shortest times of one batch in milliseconds."""

    preset: str
    batch: int
    precision: str
    operations_ms: float
    weights_ms: float
    """Weights read once, features never leaving the caches."""
    features_ms: float
    """What layer after layer adds to it if every feature is written to memory and read back."""

    @property
    def floor_ms(self) -> float:
        """The larger of what cannot be avoided."""
        return max(self.operations_ms, self.weights_ms)


def floor_of(preset: str, work: Work, batch: int, machine: Machine) -> Floor:
    """The floor of a batch; `work` is that of the same batch."""
    size = _DTYPES[machine.precision].itemsize
    return Floor(
        preset,
        batch,
        machine.precision,
        operations_ms=1e3 * work.operations / machine.operations_per_s,
        weights_ms=1e3 * work.weights * size / machine.bytes_per_s,
        features_ms=1e3 * 2 * work.features * size / machine.bytes_per_s,
    )


def work_of(graph: BytesInput, input_px: int, batch: int) -> Work:
    """Count what `graph` does to a batch, on torch's meta device: nothing is computed. Moves `graph` there."""
    written: list[int] = []
    read: list[int] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        """Only layers that run count: RootNet's upsampling does not."""
        written.append(output.numel())
        read.append(sum(parameter.numel() for parameter in module.parameters()))

    graph.to("meta")
    for part in graph.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            part.register_forward_hook(note)
    with torch.inference_mode(), torch.device("meta"), FlopCounterMode(display=False) as counter:
        graph(torch.zeros((batch, input_px, input_px, 3), dtype=torch.uint8))
    return Work(float(counter.get_total_flops()), sum(read), sum(written))


def measured_machine(device: torch.device, precision: str) -> Machine:
    """Measure a large product of matrices, a 3x3 convolution, and a large copy.

    The faster of the first two counts: on some processors torch's product in fp32 has half the rate of its convolution.
    `tf32` is fp32 that a GPU may round on its way into a product.
    """
    side, batch, numbers = (8192, 64, 1 << 28) if device.type == "cuda" else (512, 1, 1 << 25)
    square = torch.randn((side, side), device=device).to(_DTYPES[precision])
    features = _channels_last(torch.randn((batch, 256, 28, 28), device=device).to(_DTYPES[precision]))
    kernels = _channels_last(torch.randn((256, 256, 3, 3), device=device).to(_DTYPES[precision]))
    with torch.inference_mode(), tf32(precision == "tf32"):
        product = 2.0 * side**3 / _shortest(lambda: square @ square, device)
        folding = _shortest(lambda: F.conv2d(features, kernels, padding=1), device)
    convolution = 2.0 * 256 * 256 * 9 * 28 * 28 * batch / folding
    source = torch.zeros(numbers, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copying = _shortest(lambda: target.copy_(source), device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return Machine(name, precision, max(product, convolution), 2.0 * numbers / copying)


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def _shortest(run: Callable[[], Tensor], device: torch.device) -> float:
    """Seconds of the quickest of many short calls: whatever else runs can only make one slower."""
    times = []
    for _ in range(_TRIALS):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)

"""ONNX -> TensorRT plan, for TensorRT 10, TensorRT 11 and TensorRT-RTX alike.

Strongly typed throughout: the graph's own types are the precision, so one file builds on all three. What only some of
them have is asked for with `hasattr`. TensorRT needs the GPU it builds for; TensorRT-RTX needs none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from engines.building.tensorrt_package import TensorRt
from engines.spec import INPUT_NAME

_SAY_EVERY_S: Final = 5.0


def build_plan(
    tensorrt: TensorRt,
    graph: bytes,
    batches: Sequence[int],
    targets: Sequence[str] = (),
    timing_cache: bytes = b"",
    say: Callable[[str], None] = lambda _: None,
) -> tuple[bytes, bytes]:
    """Build a plan with one static profile per batch size, in the order of `batches`; returns it and the timing cache.

    `graph` is ONNX with a free batch size. Raises BackendUnavailable with TensorRT's own words if it cannot be built.
    """
    trt = tensorrt.package
    tensorrt.logger.lines.clear()
    builder = trt.Builder(tensorrt.logger)
    network = builder.create_network(_strongly_typed(trt))
    parser = trt.OnnxParser(network, tensorrt.logger)
    if not parser.parse(graph):
        raise tensorrt.unavailable("cannot read the graph")
    config = builder.create_builder_config()
    _without_tf32(trt, config)
    if targets:
        config.num_compute_capabilities = len(targets)
        for k, target in enumerate(targets):
            config.set_compute_capability(getattr(trt.ComputeCapability, target.upper()), k)
    shape = tuple(network.get_input(0).shape)[1:]
    for batch in batches:
        profile = builder.create_optimization_profile()
        profile.set_shape(INPUT_NAME, *[(batch, *shape)] * 3)
        config.add_optimization_profile(profile)
    timings = _timings(config, timing_cache) if tensorrt.flavour == "tensorrt" else None
    monitor = _monitor(trt, say)
    if monitor is not None:
        config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise tensorrt.unavailable("cannot build the engine")
    return bytes(plan), b"" if timings is None else bytes(timings.serialize())


def _strongly_typed(trt: Any) -> int:
    """The flag that TensorRT 10 needs; later ones know nothing else."""
    flags = trt.NetworkDefinitionCreationFlag
    return 1 << int(flags.STRONGLY_TYPED) if hasattr(flags, "STRONGLY_TYPED") else 0


def _without_tf32(trt: Any, config: Any) -> None:
    """What the graph has in fp32 is computed in it: by default products may be rounded to TF32's 11 bits."""
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)


def _timings(config: Any, content: bytes) -> Any:
    """How fast each kernel was in earlier builds; a cache of another GPU is not taken over, and starts empty."""
    for attempt in (content, b""):
        timings = config.create_timing_cache(attempt)
        if timings is not None and config.set_timing_cache(timings, False):
            return timings
    return None


def _monitor(trt: Any, say: Callable[[str], None]) -> Any:
    """Says how far a long build is, every few seconds; None where the runtime has no such thing."""
    if not hasattr(trt, "IProgressMonitor"):
        return None

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}
            self.said_s = time.monotonic()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            if time.monotonic() - self.said_s > _SAY_EVERY_S:
                self.said_s = time.monotonic()
                say(f"  {phase_name}: {100 * step // max(self.steps.get(phase_name, 1), 1)} %")
            return True

        def phase_finish(self, phase_name: str) -> None:
            self.steps.pop(phase_name, None)

    return Monitor()

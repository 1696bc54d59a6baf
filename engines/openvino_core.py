"""The one OpenVINO core of a process, which is never freed, and how networks are compiled with it (any thread).

Loading OpenVINO's CPU plugin gives the calling thread another stack for its signals, and freeing the plugin unmaps that
stack. Where cores are freed in another order than they were made in, or in another thread, the thread keeps a stack
that is gone, and the next signal that Python handles there (Ctrl-C, a child's end) ends the process with SIGSEGV and
no word: OpenVINO 2026.4 puts back the stack from before only in the thread that frees, and only where its own is the
current one.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from engines.remembered import remembered

if TYPE_CHECKING:
    import openvino as ov

DEVICE: Final = "CPU"
_TRIES: Final = 6
_PRECISIONS: Final = ("bf16", "fp32")


@cache
def openvino_core() -> ov.Core:
    """Made with the first call. Networks are read, not mapped: a file cut short meanwhile would be a bus error."""
    import openvino as ov

    core = ov.Core()
    core.set_property({"ENABLE_MMAP": False})
    return core


@cache
def own_precision() -> str:
    """bf16 where the processor computes in it and is faster with it, else fp32.

    Measured (0.1 s), and remembered for this processor and version: a processor may have instructions for bf16 and be
    slower with them. A Xeon of Sapphire Rapids whose host hides AMX needed 28.5 ms in bf16 for the crops of a frame,
    21.4 ms in fp32.
    """
    import openvino as ov

    name, capabilities = (
        openvino_core().get_property(DEVICE, what) for what in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
    )
    if "BF16" not in capabilities:
        return "fp32"
    machine = f"{ov.get_version()} {name} {sorted(capabilities)} {_instructions()}"
    return remembered("own_precision", machine.encode(), lambda: min(_PRECISIONS, key=_seconds), "|".join(_PRECISIONS))


def _instructions() -> str:
    """What the processor has of them, as Linux says; its name alone may be that of a whole family."""
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return ""


def _seconds(precision: str) -> float:
    """What a convolution like those of our networks takes on one core; the least of some, as others use it, too."""
    import numpy as np
    import openvino as ov
    from openvino import opset13 as ops

    maps = ops.parameter([1, 64, 28, 28], np.float32)
    kernels = ops.constant(np.full((64, 64, 3, 3), 0.01, np.float32))
    convolved = ops.convolution(maps, kernels, [1, 1], [1, 1], [1, 1], [1, 1])
    compiled = openvino_core().compile_model(
        ov.Model([convolved], [maps]), DEVICE, openvino_config(precision, threads=1)
    )
    request = compiled.create_infer_request()
    times = []
    for _ in range(_TRIES):
        started = perf_counter()
        request.infer({0: np.ones((1, 64, 28, 28), np.float32)})
        times.append(perf_counter() - started)
    return min(times)


def openvino_config(precision: str, threads: int) -> dict[str, Any]:
    """How a network is compiled; `benchmarks.openvino_hints` measures what else could be chosen.

    Threads are not pinned to cores (OpenVINO does so by itself): a window or another program that takes one of these
    cores would hold up every layer, while the next core is free.
    """
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    config["INFERENCE_PRECISION_HINT"] = "bf16" if precision == "bf16" else "f32"  # what int8 leaves, too
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    return config

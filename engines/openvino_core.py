"""The one OpenVINO core of a process, which is never freed, and how networks are compiled with it (any thread).

Loading OpenVINO's CPU plugin gives the calling thread another stack for its signals, and freeing the plugin unmaps that
stack. Where cores are freed in another order than they were made in, or in another thread, the thread keeps a stack
that is gone, and the next signal that Python handles there (Ctrl-C, a child's end) ends the process with SIGSEGV and
no word: OpenVINO 2026.4 puts back the stack from before only in the thread that frees, and only where its own is the
current one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import openvino as ov

DEVICE: Final = "CPU"


@cache
def openvino_core() -> ov.Core:
    """Made with the first call. Networks are read, not mapped: a file cut short meanwhile would be a bus error."""
    import openvino as ov

    core = ov.Core()
    core.set_property({"ENABLE_MMAP": False})
    return core


def own_precision(core: ov.Core) -> str:
    """bf16 where the processor computes in it, else fp32."""
    return "bf16" if "BF16" in core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES") else "fp32"


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

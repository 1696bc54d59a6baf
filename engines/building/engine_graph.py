"""The ONNX graph that an engine is made of: which types it has, for which backend and precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.building.calibration import calibration_crops
from engines.presets import spec_of


def engine_graph(
    backend: str, precision: str, preset: str, weights: Path, calibration: Path | None, say: Callable[[str], None]
) -> bytes:
    """ONNX for `backend` in `precision`, neither of them "auto"; `calibration` are the crops for INT8, if any.

    bf16 is the backend's own arithmetic on the graph of fp32. Raises UserError for weights that do not fit and an int8
    that moves the joints too far, BackendUnavailable where nothing quantises.
    """
    from engines.building.graph import onnx_graph  # imports torch, which an engine in the cache does without

    if precision != "int8":
        return onnx_graph(preset, weights, "fp16" if precision == "fp16" else "fp32")
    from engines.building.int8 import halved_graph, quantised_graph

    crops = calibration_crops(calibration, spec_of(preset).input_px)
    whole, for_tensorrt = onnx_graph(preset, weights), backend != "openvino"
    graph = quantised_graph(whole, crops, say, signed_only=for_tensorrt)
    return halved_graph(graph) if for_tensorrt else graph

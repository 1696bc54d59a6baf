"""The ONNX graph that an engine is made of: which types it has, for which backend and precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.building.calibration import calibration_crops
from engines.presets import spec_of
from engines.witness_file import witness_file


def engine_graph(
    backend: str,
    precision: str,
    preset: str,
    weights: Path,
    calibration: Path | None,
    say: Callable[[str], None],
    *,
    witness: bool = True,
) -> bytes:
    """ONNX for `backend` in `precision`, neither of them "auto"; `calibration` are the crops for INT8, if any.

    With the second opinion that goes along with the weights, unless `witness` is False; what leaves it out is said.

    bf16 is the backend's own arithmetic on the graph of fp32. Raises UserError for weights that do not fit and an int8
    that moves the joints too far, BackendUnavailable where nothing quantises.
    """
    from engines.building.graph import onnx_graph  # imports torch, which an engine in the cache does without

    if witness and spec_of(preset).witness and witness_file(preset, weights) is None:
        say(
            f"  no witness for single hands: {weights.name} changed the stages that it would share, or its file is gone"
        )
    if precision != "int8":
        return onnx_graph(preset, weights, "fp16" if precision == "fp16" else "fp32", witness=witness)
    from engines.building.int8 import halved_graph, quantised_graph

    crops = calibration_crops(calibration, spec_of(preset).input_px)
    whole, for_tensorrt = onnx_graph(preset, weights, witness=witness), backend != "openvino"
    graph = quantised_graph(whole, crops, say, signed_only=for_tensorrt)
    return halved_graph(graph) if for_tensorrt else graph

"""INT8 by post-training quantisation: the fp32 graph with Q/DQ pairs around its convolutions. The only home of NNCF.

OpenVINO and TensorRT get the same, but for what TensorRT lacks: unsigned activations. A graph is made only if the
joints stay where they were: it runs on crops that it was not calibrated on, and one that moves them too far is refused.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from engines.building.qdq import LAYERS, halved, network_part, signed
from engines.building.tolerance import LIMITS_MM, Answers, joints_moved_mm
from engines.errors import UserError
from engines.installed import require_nncf
from engines.spec import INPUT_NAME, OUTPUT_NAMES

_BETWEEN: Final = frozenset({"Add", "Clip", "Relu", "Reshape", "Transpose"})
"""What may stay in INT8 between such layers; all else, and whatever comes after the last layer, stays in fp32."""

_HOPELESS: Final = 5
"""So many times too far, finer layers do not make it good."""


def quantised_graph(
    graph: bytes,
    crops: NDArray[np.uint8],
    say: Callable[[str], None] = lambda _: None,
    limit_mm: float | None = None,
    signed_only: bool = False,
) -> bytes:
    """ONNX in fp32 -> the same with INT8 layers, calibrated on every second of `crops` (N, S, S, 3).

    `signed_only` makes what TensorRT takes: activations in steps twice as large, which are then judged, too. Raises
    UserError with the figure if joints move by more than `limit_mm` (0.5) on average over the other crops,
    BackendUnavailable if NNCF is not installed.
    """
    require_nncf()
    limit_mm = LIMITS_MM["int8"] if limit_mm is None else limit_mm
    model = onnx.load_from_string(graph)
    ranges, judged = crops[::2], crops[1::2]
    reference = onnx_answers(graph, judged)
    moved = []
    for what, kept in (("all layers", set()), ("all but the finest layers", _finest(model))):
        quantised = _quantised(model, ranges, kept)
        if signed_only:
            quantised = _signed_graph(quantised)
        moved.append(joints_moved_mm(onnx_answers(quantised, judged), reference, crops.shape[1]))
        say(f"  int8, {what}: joints move by {moved[-1]:.2f} mm on average")
        if moved[-1] <= limit_mm:
            return quantised
        if moved[-1] > _HOPELESS * limit_mm:
            break
    raise UserError(
        f"int8 moves the joints by {min(moved):.2f} mm on average over {len(judged)} crops, {limit_mm} mm are allowed: "
        "choose --precision bf16, fp16 or fp32, or calibrate on crops of your own (--calibration)"
    )


def halved_graph(graph: bytes) -> bytes:
    """A quantised graph in half precision where it is not INT8, for TensorRT.

    It is judged before: ONNX Runtime's optimiser reads scales in half precision wrongly.
    """
    model = onnx.load_from_string(graph)
    halved(model)
    return _checked(model)


def _signed_graph(graph: bytes) -> bytes:
    model = onnx.load_from_string(graph)
    signed(model)
    return _checked(model)


def _checked(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _finest(model: onnx.ModelProto) -> set[str]:
    """Layers whose rounding costs most: the first one, depth-wise ones, and the last one before each readout."""
    layers = [node for node in model.graph.node if node.op_type in LAYERS]
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    chosen = {layers[0].name}
    for layer in layers:
        groups = [attribute.i for attribute in layer.attribute if attribute.name == "group"]
        followers = [node.op_type for name in layer.output for node in readers.get(name, [])]
        if max(groups, default=1) > 1 or not set(followers) <= LAYERS | _BETWEEN:
            chosen.add(layer.name)
    return chosen


def _quantised(model: onnx.ModelProto, crops: NDArray[np.uint8], kept: set[str]) -> bytes:
    with _quiet():
        import nncf

        nncf.set_log_level(logging.ERROR)
        part = network_part(model)
        others = {
            node.name for node in model.graph.node if node.name not in part or node.op_type not in LAYERS | _BETWEEN
        }
        quantised = nncf.quantize(
            model,
            nncf.Dataset([{INPUT_NAME: crop[None]} for crop in crops]),
            preset=nncf.QuantizationPreset.PERFORMANCE,  # symmetric: TensorRT knows no other
            target_device=nncf.TargetDevice.ANY,
            subset_size=len(crops),
            ignored_scope=nncf.IgnoredScope(names=sorted(kept | others), validate=False),
        )
    return _checked(quantised)


def onnx_answers(graph: bytes, crops: NDArray[np.uint8]) -> Answers:
    """What a graph says to each crop, in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    answers = [session.run(list(OUTPUT_NAMES), {INPUT_NAME: crop[None]}) for crop in crops]
    return {name: np.concatenate([answer[k] for answer in answers]) for k, name in enumerate(OUTPUT_NAMES)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NNCF draws its progress on stdout, which belongs to our callers."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield

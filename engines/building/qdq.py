"""What TensorRT wants of a quantised graph: signed INT8 in all Q/DQ pairs, half precision between them (onnx)."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

LAYERS: Final = frozenset({"Conv", "ConvTranspose", "Gemm"})
"""What is quantised: by far the most work of a network."""
PAIRS: Final = frozenset({"QuantizeLinear", "DequantizeLinear"})


def network_part(model: onnx.ModelProto) -> set[str]:
    """Nodes from the first layers to the last: neither the picture's normalisation nor what reads joints out.

    What a softmax goes into is reading out, also where layers follow, as those of the joints' attention. Of sizes
    nothing is computed.
    """
    to_layer: set[str] = set()
    ahead: set[str] = set()
    for node in reversed(model.graph.node):
        if node.op_type in LAYERS or to_layer.intersection(node.output):
            to_layer.update(node.input)
            ahead.add(node.name)
    from_layer: set[str] = set()
    read_out: set[str] = set()
    part: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "Softmax" or read_out.intersection(node.input):
            read_out.update(node.output)
        elif node.op_type != "Shape" and (node.op_type in LAYERS or from_layer.intersection(node.input)):
            from_layer.update(node.output)
            part.add(node.name)
    return part & ahead


def signed(model: onnx.ModelProto) -> None:
    """Make UINT8 pairs INT8 with twice the step, in place: TensorRT has no unsigned activations.

    Raises ValueError for a range that is not symmetric.
    """
    values = {value.name: value for value in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in PAIRS]
    unsigned = {node.input[2] for node in pairs if values[node.input[2]].data_type == onnx.TensorProto.UINT8}
    for scale in {node.input[1] for node in pairs if node.input[2] in unsigned}:
        _replace(values[scale], numpy_helper.to_array(values[scale]) * np.float32(255 / 127))
    for zero in unsigned:
        if numpy_helper.to_array(values[zero]).any():
            raise ValueError(f"{zero}: an asymmetric range has no signed form")
        _replace(values[zero], np.zeros(tuple(values[zero].dims), np.int8))
    del model.graph.value_info[:]  # holds the old types


def halved(model: onnx.ModelProto) -> None:
    """Make the network's part of a fp32 graph fp16, in place, with casts at its borders."""
    inside = network_part(model) | {node.name for node in model.graph.node if node.op_type in PAIRS}
    floats = {value.name: value for value in model.graph.initializer if value.data_type == onnx.TensorProto.FLOAT}
    computed = _computed_floats(model)
    made = {name for node in model.graph.node if node.name in inside for name in node.output}
    ordered: list[onnx.NodeProto] = []
    cast: set[str] = set()
    for node in model.graph.node:
        for k, name in enumerate(node.input):
            # a Resize takes its factors in fp32 whatever it resizes
            if node.name in inside and name in floats and not (node.op_type == "Resize" and k):
                node.input[k] = _half_value(model, floats[name], cast)
            elif name in computed and (name in made) != (node.name in inside):
                node.input[k] = _cast(ordered, name, node.name in inside, cast)
        ordered.append(node)
    del model.graph.node[:]
    model.graph.node.extend(ordered)
    del model.graph.value_info[:]


def _computed_floats(model: onnx.ModelProto) -> set[str]:
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    return {value.name for value in known if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}


def _half_value(model: onnx.ModelProto, value: onnx.TensorProto, done: set[str]) -> str:
    name = f"{value.name}|fp16"
    if name not in done:
        done.add(name)
        model.graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(value).astype(np.float16), name))
    return name


def _cast(nodes: list[onnx.NodeProto], name: str, to_half: bool, done: set[str]) -> str:
    """Name of the tensor in the other precision; the cast is put where `nodes` ends."""
    other = f"{name}|{'fp16' if to_half else 'fp32'}"
    if other not in done:
        done.add(other)
        kind = onnx.TensorProto.FLOAT16 if to_half else onnx.TensorProto.FLOAT
        nodes.append(onnx.helper.make_node("Cast", [name], [other], f"{other}|cast", to=kind))
    return other


def _replace(value: onnx.TensorProto, content: NDArray) -> None:
    value.CopyFrom(numpy_helper.from_array(content, value.name))

"""Weights of an OpenVINO graph in the type in which they are computed with."""

from __future__ import annotations

from typing import Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops
from openvino._offline_transformations import compress_model_transformation

_WITH_WEIGHTS: Final = ("Convolution", "GroupConvolution", "MatMul")
_LEAST: Final = 1000
"""Numbers in a constant that is worth it."""
_MARK: Final = "decompression_0"
"""Where OpenVINO notes that a conversion is part of a constant, which it then does not unfold in memory."""


def store_as_bf16(model: ov.Model) -> None:
    """Keep fp32 weights as bf16, in place: half the file and the memory, the same answers where it computes in bf16.

    A processor that computes in bf16 rounds them so itself, and OpenVINO keeps what it was given besides.
    """
    mark = _decompression()
    for node in model.get_ops():
        if node.get_type_name() not in _WITH_WEIGHTS:
            continue
        for place in node.inputs():
            source = place.get_source_output().get_node()
            if _are_weights(source):
                place.replace_source_output(_as_bf16(source, mark).output(0))
    model.validate_nodes_and_infer_types()


def rounded_to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves of fp32 numbers, rounded to nearest, ties to even, as IEEE 754 and the processor do."""
    bits = np.ascontiguousarray(values).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _are_weights(node: ov.Node) -> bool:
    is_constant = node.get_type_name() == "Constant" and node.get_element_type() == ov.Type.f32
    return is_constant and node.data.size >= _LEAST


def _as_bf16(constant: ov.Node, mark: ov.OVAny) -> ov.Node:
    tensor = ov.Tensor(rounded_to_bf16(constant.data), ov.Shape(list(constant.shape)), ov.Type.bf16)
    converted = ops.convert(ov.op.Constant(tensor, shared_memory=False), "f32")
    converted.set_rt_info(mark, _MARK)
    return converted


def _decompression() -> ov.OVAny:
    """OpenVINO's mark; Python has no constructor for it, but OpenVINO's own compression to fp16 makes one."""
    x = ops.parameter([1, 2], np.float32)
    model = ov.Model([ops.matmul(x, ops.constant(np.eye(2, dtype=np.float32)), False, False)], [x])
    compress_model_transformation(model)
    return next(node for node in model.get_ops() if node.get_type_name() == "Convert").get_rt_info()[_MARK]

"""The pair detector's graph as ONNX: bytes in, maps out, its constants in half precision."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from engines.building.graph import exported, fold_batch_norm
from engines.networks.decode import BytesInput
from engines.pair_spec import INPUT, MAPS, PICTURE_PX
from training.pairs.network import PairNet

_SMALL: Final = 64
"""Constants with fewer numbers stay as they are."""


def pair_graph(network: PairNet) -> bytes:
    """(1, 192, 192, 3) uint8 BGR pictures -> `pair_spec.MAPS`, fp32, as checked ONNX; the network becomes unusable."""
    fold_batch_norm(network.eval())
    example = torch.zeros((1, PICTURE_PX, PICTURE_PX, 3), dtype=torch.uint8)
    model = exported(BytesInput(network).eval(), example, INPUT, MAPS)
    _halve(model.graph)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _halve(graph: onnx.GraphProto) -> None:
    """Store large constants in half precision, in place; a cast behind each gives back what the graph computes with."""
    casts = []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    before = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(before)

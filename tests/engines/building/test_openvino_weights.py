"""Weights kept as bf16: rounded as a processor rounds them, and the same graph otherwise."""

from __future__ import annotations

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as ops

from engines.building.openvino_weights import rounded_to_bf16, store_as_bf16
from engines.openvino_core import DEVICE, openvino_config, openvino_core


def test_numbers_are_rounded_as_elsewhere() -> None:
    values = np.random.default_rng(0).normal(0, 1, 10_000).astype(np.float32) * np.float32(10) ** np.arange(
        -20, 20, 0.004
    )
    values = np.concatenate([values, [0, -0.0, 1, 1 + 2**-8, 1 + 3 * 2**-8]]).astype(np.float32)
    wanted = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(rounded_to_bf16(values), wanted)


def test_large_weights_are_halved_and_biases_stay() -> None:
    random = np.random.default_rng(1)
    weights = random.normal(0, 1, (40, 30)).astype(np.float32)
    bias = random.normal(0, 1, (1, 40)).astype(np.float32)
    x = ops.parameter([1, 30], np.float32)
    model = ov.Model([ops.add(ops.matmul(x, ops.constant(weights), False, True), ops.constant(bias))], [x])
    store_as_bf16(model)
    kept = {node.get_element_type().to_string() for node in model.get_ops() if node.get_type_name() == "Constant"}
    assert kept == {"bf16", "f32"}
    request = openvino_core().compile_model(model, DEVICE, openvino_config("fp32", 1)).create_infer_request()
    given = random.normal(0, 1, (1, 30)).astype(np.float32)
    request.infer([given])
    rounded = (rounded_to_bf16(weights).astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_allclose(request.get_output_tensor(0).data, given @ rounded.T + bias, rtol=1e-4, atol=1e-5)

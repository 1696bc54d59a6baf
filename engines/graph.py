"""From weights to the deployed graph, as a torch module or as ONNX (imports torch: only builds need it)."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from engines.decode import BytesInput, DeployedLite
from engines.networks.checkpoints import load_weights
from engines.networks.lite import Lite
from engines.presets import spec_of
from engines.spec import OUTPUT_NAMES

INPUT_NAME = "crops_bgr"


def deployed_module(preset: str, weights: Path) -> nn.Module:
    """The whole graph in eval mode: (B, S, S, 3) uint8 BGR crops -> the tensors of `spec.OUTPUT_NAMES`."""
    network = Lite(spec=spec_of(preset))
    load_weights(network, weights)
    return BytesInput(DeployedLite(network)).eval()


def onnx_graph(preset: str, weights: Path) -> bytes:
    """The same graph as checked ONNX with a free batch size."""
    module = deployed_module(preset, weights)
    size = spec_of(preset).input_px
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own internals
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={INPUT_NAME: {0: torch.export.Dim("batch", min=1, max=64)}},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())

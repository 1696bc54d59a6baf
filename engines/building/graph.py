"""From weights to the deployed graph, as a torch module or as ONNX (imports torch: only builds need it)."""

from __future__ import annotations

import copy
import gc
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engines.networks.checkpoints import load_weights
from engines.networks.decode import BytesInput, DeployedLite
from engines.networks.decode_paper import DeployedPaper
from engines.networks.lite import Lite
from engines.networks.paper import read_paper
from engines.networks.witness import Witness
from engines.presets import spec_of
from engines.spec import INPUT_NAME, OUTPUT_NAMES
from engines.witness_file import witness_file

GraphPrecision = Literal["fp32", "fp16"]
"""Precision of weights and features; whatever reads joints and depths out of them stays in fp32."""


def deployed_module(
    preset: str, weights: Path, precision: GraphPrecision = "fp32", *, witness: bool = True
) -> BytesInput:
    """The whole graph in eval mode: (B, S, S, 3) uint8 BGR crops -> the tensors of `spec.OUTPUT_NAMES`, fp32.

    With the second opinion that goes along with the weights (`witness_file`), unless `witness` is False. Raises
    UserError if the weights do not fit the preset.
    """
    spec = spec_of(preset)
    deployed: DeployedLite | DeployedPaper
    if spec.readout == "expectation":
        network = Lite(spec=spec)
        load_weights(network, weights)
        deployed = DeployedLite(network, _witness_of(preset, weights) if witness else None)
    else:
        deployed = DeployedPaper(read_paper(weights), spec)
    deployed.eval()
    fold_batch_norm(deployed)
    put_clamps(deployed)
    graph = BytesInput(deployed if precision == "fp32" else halved(deployed), precision)
    graph.eval()
    return graph.requires_grad_(False)  # nothing is learnt here, and the exporter need not keep gradients possible


def _witness_of(preset: str, weights: Path) -> Witness | None:
    file = witness_file(preset, weights)
    if file is None:
        return None
    witness = Witness()
    load_weights(witness, file)
    return witness


def fold_batch_norm(module: nn.Module) -> None:
    """Put each batch norm into the convolution before it, in place; eval mode only.

    In fp32, before anything is halved: the variance of a channel may be too small for half precision.
    """
    for part in module.modules():
        children = dict(part.named_children())
        for name, following in pairwise(children):
            conv, norm = children[name], children[following]
            if isinstance(conv, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(part, name, fuse_conv_bn_eval(conv, norm, transpose=isinstance(conv, nn.ConvTranspose2d)))
                setattr(part, following, nn.Identity())


class _Clamp(nn.Module):
    """What ReLU6 computes, in the operation that ONNX has."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0.0, 6.0)


def put_clamps(module: nn.Module) -> None:
    """Each ReLU6 as a clamp, in place: the graph is the same, and torch exports it in two thirds of the time."""
    for part in module.modules():
        for name, child in part.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(part, name, _Clamp())


def halved(deployed: DeployedLite | DeployedPaper) -> DeployedLite | DeployedPaper:
    """Weights in half precision, in place; what turns features into depths, and fitted constants, stay in fp32."""
    kept = {name: value.clone() for name, value in deployed.named_buffers() if name.endswith("confidence_fit")}
    network = deployed.network
    heads: tuple[nn.Module, ...] = (network.root, network.gamma, network.tokens) if isinstance(network, Lite) else ()
    if isinstance(deployed, DeployedLite) and deployed.witness is not None:
        heads += (deployed.witness.landmarks, deployed.witness.presence, deployed.witness.rightness)
    exact = [copy.deepcopy(head.state_dict()) for head in heads]
    deployed.half()
    for head, state in zip(heads, exact, strict=True):
        head.float().load_state_dict(state)
    for name, value in kept.items():
        owner, _, leaf = name.rpartition(".")
        setattr(deployed.get_submodule(owner), leaf, value)
    return deployed


def exported(
    module: nn.Module, example: Tensor, input_name: str, output_names: Sequence[str], free: Any = None
) -> onnx.ModelProto:
    """A module as ONNX that says nothing of the machine; `free` are the sizes that may change, as torch has them."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with _no_search_for_garbage(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own internals
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[input_name],
            output_names=list(output_names),
            dynamic_shapes=free,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    model: onnx.ModelProto = program.model_proto  # made anew at each call of the property
    _drop_notes(model)
    return model


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """An export makes millions of objects, of which hardly any is garbage: to search them is a fifth of its time."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()


def _drop_notes(model: onnx.ModelProto) -> None:
    """Take out, in place, what the exporter notes of each node: its stack holds the paths of whoever exported."""
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
    ):
        del part.metadata_props[:]
        part.doc_string = ""


def onnx_graph(preset: str, weights: Path, precision: GraphPrecision = "fp32", *, witness: bool = True) -> bytes:
    """The same graph as checked ONNX with a free batch size; its types are the precision it computes in."""
    module = deployed_module(preset, weights, precision, witness=witness)
    size = spec_of(preset).input_px
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    batch = {INPUT_NAME: {0: torch.export.Dim("batch", min=1, max=64)}}
    model = exported(module, example, INPUT_NAME, OUTPUT_NAMES, batch)
    onnx.checker.check_model(model, full_check=True)
    if not model.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise RuntimeError("the exported graph has a fixed batch size")
    return bytes(model.SerializeToString())

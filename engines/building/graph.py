"""From weights to the deployed graph, as a torch module or as ONNX (imports torch: only builds need it)."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

from engines.networks.checkpoints import load_weights
from engines.networks.decode import BytesInput, DeployedLite
from engines.networks.decode_paper import DeployedPaper
from engines.networks.lite import Lite
from engines.networks.paper import read_paper
from engines.networks.witness import Witness
from engines.presets import spec_of
from engines.spec import INPUT_NAME, OUTPUT_NAMES
from engines.witness_file import witness_file

if TYPE_CHECKING:
    import onnx_ir

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
    module: nn.Module, example: Tensor, input_name: str, output_names: Sequence[str], *, free_batch: bool = False
) -> onnx.ModelProto:
    """A module as ONNX of opset 20 that says nothing of the machine; all sizes but a free batch are the example's.

    By tracing, which torch calls its legacy way: 2 s where `dynamo=True` takes 12 to the same answers. A start that
    builds its engine waits for it. A traced size would be worked out anew at each call, so they are put in as numbers.
    """
    import onnx_ir  # half a second, for which nobody need wait who runs the network in torch
    from onnxscript.optimizer import optimize_ir

    written = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the way is the legacy one, and that sizes become numbers
        torch.onnx.export(
            _FixedSizes(module).eval(),
            (example,),
            written,  # type: ignore[arg-type]  # it takes files, too
            input_names=[input_name],
            output_names=list(output_names),
            dynamic_axes={name: {0: "batch"} for name in (input_name, *output_names)} if free_batch else None,
            opset_version=20,
            dynamo=False,
        )
    traced = onnx.load_from_string(written.getvalue())
    del traced.graph.value_info[:]  # sizes of the example's batch are among them, which would be folded in
    model = onnx_ir.from_proto(traced)
    optimize_ir(model, num_iterations=1, should_fold=_may_be_folded)
    return onnx_ir.to_proto(model)


class _FixedSizes(nn.Module):
    """A module to be traced, to which every size but that of the batch is a number."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        with _SizesAsNumbers():
            return self.module(x)


class _SizesAsNumbers(TorchFunctionMode):
    """While it is entered, `tensor.shape` gives numbers from its second place on, also to a trace."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func == Tensor.shape.__get__:  # type: ignore[attr-defined]
            return (*answer[:1], *map(int, answer[1:]))
        return answer


def _may_be_folded(node: onnx_ir.Node) -> bool | None:
    """Also what padding is made of, which goes into the convolutions then; None is the optimiser's own choice."""
    return True if node.op_type == "ConstantOfShape" else None


def onnx_graph(preset: str, weights: Path, precision: GraphPrecision = "fp32", *, witness: bool = True) -> bytes:
    """The same graph as checked ONNX with a free batch size; its types are the precision it computes in."""
    module = deployed_module(preset, weights, precision, witness=witness)
    size = spec_of(preset).input_px
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    model = exported(module, example, INPUT_NAME, OUTPUT_NAMES, free_batch=True)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())

"""MediaPipe's hand landmark network in `lite`'s trunk, wholly or in part; read from the installed mediapipe wheel.

`hand_landmark_full.tflite` is licensed Apache-2.0 and credited in NOTICE. OpenVINO reads the file; its constants are
copied layer by layer, which is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engines.errors import UserError
from engines.mediapipe_wheel import wheel_file
from engines.networks.lite import Lite
from engines.networks.mobile_trunk import MobileTrunk
from engines.networks.witness import SHARED_STAGES, Witness, shared_parameters
from engines.openvino_core import DEVICE, openvino_config, openvino_core, own_precision
from realtime.tracking.detector import OURS_FROM_MEDIAPIPE


def landmark_file() -> Path:
    """Path of `hand_landmark_full.tflite` in the installed wheel."""
    return wheel_file("modules/hand_landmark/hand_landmark_full.tflite")


def mix_trunk(network: Lite, share: float) -> None:
    """Move the trunk of `network` in place by `share` of the way to MediaPipe's weights."""
    released = MobileTrunk()
    load_mediapipe_weights(released)
    with torch.no_grad():
        for own, theirs in zip(network.trunk.parameters(), released.parameters(), strict=True):
            own.lerp_(theirs, share)


def load_mediapipe_weights(trunk: MobileTrunk) -> None:
    """Fill `trunk` with the published weights; raises UserError if the file holds another network."""
    layers = convolutions_of(landmark_file())
    targets = trunk.convolutions()
    if len(layers) != len(targets):
        raise UserError(f"mediapipe's landmark network has {len(layers)} convolutions, expected {len(targets)}")
    copy_layers(targets, layers)


def copy_layers(targets: Sequence[nn.Conv2d], layers: Sequence[tuple[NDArray, NDArray]]) -> None:
    """Put weights and biases of `convolutions_of` into as many convolutions."""
    with torch.no_grad():
        for target, (weight, bias) in zip(targets, layers, strict=True):
            target.weight.copy_(torch.from_numpy(weight).reshape(target.weight.shape))
            if target.bias is not None:
                target.bias.copy_(torch.from_numpy(bias))


def load_mediapipe_witness(witness: Witness) -> None:
    """Fill `witness` with the published weights from the shared stages on, its landmarks in our order of joints."""
    trunk = MobileTrunk()
    load_mediapipe_weights(trunk)
    witness.stages.load_state_dict(trunk.stages[SHARED_STAGES:].state_dict())
    witness.top.load_state_dict(trunk.top.state_dict())
    witness.shared = shared_parameters(trunk)
    order = (3 * OURS_FROM_MEDIAPIPE[:, None] + np.arange(3)).reshape(-1)
    landmarks, *sides = _linear(landmark_file(), ("Identity", "Identity_1", "Identity_2"))
    heads = (witness.landmarks, witness.presence, witness.rightness)
    with torch.no_grad():
        for head, (weight, bias) in zip(heads, ((landmarks[0][order], landmarks[1][order]), *sides), strict=True):
            head.weight.copy_(torch.from_numpy(weight))
            head.bias.copy_(torch.from_numpy(bias))


def _linear(path: Path, names: Sequence[str]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """(weight (out, in), bias (out,)) of the layers that give the outputs of these names."""
    model = openvino_core().read_model(path)
    outputs = []
    for name in names:
        node = model.output(name).get_node()
        while node.get_type_name() != "MatMul":
            added = node if node.get_type_name() == "Add" else None
            node = node.input_value(0).get_node()
            outputs += [] if added is None else [added.input_value(1)]
        outputs.append(node.input_value(1))
    arrays = _constants(outputs)
    return [(weight, bias.reshape(-1)) for bias, weight in zip(arrays[0::2], arrays[1::2], strict=True)]


def compiled_part(path: Path, outputs: Sequence[tuple[str, int]], shape: list[int], *, exact: bool) -> Any:
    """A file's network up to some of its inner layers, each the n-th of its type, compiled for a CPU.

    `shape` is that of its input, -1 what is free. `exact`: in fp32, else in bf16 where the processor is faster in it.
    """
    import openvino as ov

    core = openvino_core()
    model = core.read_model(path)
    layers = [[n for n in model.get_ordered_ops() if n.get_type_name() == kind][k].output(0) for kind, k in outputs]
    part = ov.Model(layers, model.get_parameters())
    part.reshape(shape)
    return core.compile_model(part, DEVICE, openvino_config("fp32" if exact else own_precision(), threads=1))


def slopes_of(path: Path) -> list[NDArray[np.float32]]:
    """(C,) slopes of every PReLU of a file, in order."""
    nodes = openvino_core().read_model(path).get_ordered_ops()
    return [slope.reshape(-1) for slope in _constants(n.input_value(1) for n in nodes if n.get_type_name() == "PRelu")]


@cache  # 8 MB: a run with an anchor reads them twice, and so does whoever trains one network after the other
def convolutions_of(path: Path) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]:
    """(weight, bias) of every convolution in order, to be read only; weights as in torch, (out, in / groups, k, k)."""
    nodes = openvino_core().read_model(path).get_ordered_ops()
    outputs = []
    for node in nodes:
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            add = next(iter(node.output(0).get_target_inputs())).get_node()
            outputs += [node.input_value(1), add.input_value(1)]
    arrays = _constants(outputs)
    weights = [w.reshape(-1, *w.shape[-3:]) if w.ndim == 5 else w for w in arrays[0::2]]
    return tuple((weight, bias.reshape(-1)) for weight, bias in zip(weights, arrays[1::2], strict=True))


def _constants(outputs: Iterable[Any]) -> list[NDArray[np.float32]]:
    """Values of nodes without inputs: a file stores half-precision constants behind transposes and casts."""
    import openvino as ov

    wanted = list(outputs)
    values = openvino_core().compile_model(ov.Model(wanted, []), DEVICE, openvino_config("fp32", 0))([])
    return [np.array(values[k], np.float32) for k in range(len(wanted))]

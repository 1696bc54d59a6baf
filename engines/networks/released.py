"""Reading released checkpoints: InterHand2.6M's InterNet, 3DMPPE's RootNet, and mmpose's InterNet.

`snapshot_*.pth.tar` is a dict whose `network` is a state dict with the prefix `module.`; mmpose's `.pth` is a dict
whose `state_dict` has mmpose's own names for the same parameters. Nothing in a file is ever executed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, overload

from torch import Tensor

from engines.errors import UserError
from engines.networks.internet import InterNet
from engines.networks.reading import fill, read_checkpoint, tensors_of
from engines.networks.resnet import depth_of
from engines.networks.rootnet import RootNet

Released = Literal["internet", "rootnet"]

_PREFIX: Final = "module."
_MMPOSE_HEAD: Final = r"^(?:head|keypoint_head)\."
"""mmpose 1.x, mmpose 0.x."""
_MMPOSE_NAMES: Final = (
    (r"^backbone\.", "backbone_net.resnet."),
    (_MMPOSE_HEAD + r"right_hand_head\.deconv_layers\.", "pose_net.joint_deconv_1."),
    (_MMPOSE_HEAD + r"right_hand_head\.final_layer\.", "pose_net.joint_conv_1.0."),
    (_MMPOSE_HEAD + r"left_hand_head\.deconv_layers\.", "pose_net.joint_deconv_2."),
    (_MMPOSE_HEAD + r"left_hand_head\.final_layer\.", "pose_net.joint_conv_2.0."),
    (_MMPOSE_HEAD + r"root_head\.fc\.", "pose_net.root_fc."),
    (_MMPOSE_HEAD + r"hand_type_head\.fc\.", "pose_net.hand_fc."),
)


@overload
def load_released(kind: Literal["internet"], path: Path | str) -> InterNet: ...
@overload
def load_released(kind: Literal["rootnet"], path: Path | str) -> RootNet: ...
def load_released(kind: Released, path: Path | str) -> InterNet | RootNet:
    """The network of a released checkpoint in eval mode; its ResNet's depth and its number of roots are read from it.

    Raises UserError if the file cannot be read, holds more than data, or if parameters are missing, too many or of
    another shape, naming them.
    """
    path = Path(path)
    tensors, from_mmpose = _state_of(read_checkpoint(path), path)
    network: InterNet | RootNet
    if kind == "internet":
        _refuse_the_other(tensors, "root.", path, "a RootNet checkpoint, not InterNet's; give it as --rootnet")
        network = InterNet(depth_of(tensors, "backbone_net.resnet.") or 50, imagenet_input=from_mmpose)
    else:
        _refuse_the_other(tensors, "pose_net.", path, "an InterNet checkpoint, not RootNet's; give it as --internet")
        roots = len(tensors["root.depth_layer.bias"]) if "root.depth_layer.bias" in tensors else 1
        network = RootNet(depth_of(tensors, "backbone.") or 50, roots=2 if roots == 2 else 1)
    names = {"internet": "InterNet", "rootnet": "RootNet"}
    fill(network, tensors, path, f"{names[kind]} on a ResNet-{network.trunk.depth}")
    return network.eval()


def _state_of(content: Mapping[str, Any], path: Path) -> tuple[dict[str, Tensor], bool]:
    """The state dict in our names, and whether it comes from mmpose."""
    inner = next((content[key] for key in ("network", "state_dict") if key in content), content)
    if not isinstance(inner, Mapping):
        raise UserError(f"{path}: its entry of weights is a {type(inner).__name__}, not a dict of tensors")
    tensors = {name.removeprefix(_PREFIX): value for name, value in tensors_of(inner, path).items()}
    if any(re.match(_MMPOSE_HEAD, name) for name in tensors):
        return {_from_mmpose(name): value for name, value in tensors.items()}, True
    return tensors, False


def _from_mmpose(name: str) -> str:
    for pattern, ours in _MMPOSE_NAMES:
        name, found = re.subn(pattern, ours, name)
        if found:
            break
    return name


def _refuse_the_other(tensors: Mapping[str, Tensor], prefix: str, path: Path, what: str) -> None:
    if any(name.startswith(prefix) for name in tensors):
        raise UserError(f"{path}: is {what}")

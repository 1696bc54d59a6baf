"""Preset `paper`: InterNet and, where there are weights for it, RootNet; and the one file that holds both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from engines.errors import UserError
from engines.files import file_sha256, in_one_step
from engines.networks.checkpoints import sidecar_path
from engines.networks.internet import InterNet
from engines.networks.reading import fill, read_tensors
from engines.networks.released import load_released
from engines.networks.resnet import depth_of
from engines.networks.rootnet import RootNet

_FORMAT: Final = "two-hands-paper 1"


class PaperNetworks(nn.Module):
    """InterNet for one crop and, if there are weights of it, RootNet."""

    def __init__(self, internet: InterNet, rootnet: RootNet | None = None) -> None:
        super().__init__()
        self.internet = internet
        self.rootnet = rootnet


def read_paper(path: Path | str) -> PaperNetworks:
    """The networks in a converted file, or InterNet alone from a released checkpoint; in eval mode.

    Raises UserError if the file is missing, damaged, or holds something else.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        return PaperNetworks(load_released("internet", path)).eval()
    tensors = read_tensors(path)
    remarks = _remarks(path)
    if remarks.get("format") != _FORMAT:
        raise UserError(f"{path}: is no file of preset paper; make one with python -m engines.convert")
    internet = InterNet(
        depth_of(tensors, "internet.backbone_net.resnet.") or 50,
        imagenet_input=remarks.get("internet_input") == "imagenet",
        mean_readout=remarks.get("internet_readout") == "mean",
    )
    rootnet = None
    if any(name.startswith("rootnet.") for name in tensors):
        bias = tensors.get("rootnet.root.depth_layer.bias")
        rootnet = RootNet(
            depth_of(tensors, "rootnet.backbone.") or 50, roots=2 if bias is not None and len(bias) == 2 else 1
        )
    networks = PaperNetworks(internet, rootnet)
    fill(networks, tensors, path, "preset paper's networks")
    return networks.eval()


def write_paper(networks: PaperNetworks, path: Path | str, made_by: dict[str, Any], half: bool = False) -> None:
    """Write the networks as safetensors, in half precision if asked, and `made_by` and their hash beside it as JSON.

    Raises UserError if the place cannot be written; then nothing half-written stays.
    """
    path = Path(path)
    tensors = {name: value.detach().cpu().contiguous() for name, value in networks.state_dict().items()}
    if half:
        tensors = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    remarks = {
        "format": _FORMAT,
        "internet_input": "imagenet" if networks.internet.imagenet_input else "unit",
        "internet_readout": "mean" if networks.internet.mean_readout else "peak",
    }
    try:
        with in_one_step(path) as whole:
            save_file(tensors, str(whole), remarks)
            digest = file_sha256(whole)
        sidecar_path(path).write_text(json.dumps(made_by | {"sha256": digest}, indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error


def _remarks(path: Path) -> dict[str, str]:
    with safe_open(str(path), "pt") as file:
        return dict(file.metadata() or {})

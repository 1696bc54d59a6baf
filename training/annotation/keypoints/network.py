"""The simple baseline (Xiao et al., ECCV 2018): a ResNet, three transposed convolutions, a heat map for each joint.

The paper's annotator is of this kind. The crop lies around one hand; maps of both hands are there, so that a network
never takes the other hand's fingers for the one that is meant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from engines.errors import UserError
from engines.networks.checkpoints import load_weights, save_weights, sidecar_path
from engines.networks.internet import UPSAMPLED_CHANNELS, upsampler
from engines.networks.resnet import LAYOUTS, ResNet, initialise, normalise
from engines.spec import IMAGENET_MEAN, IMAGENET_STD
from training.annotation.recordings.recording import read_json_object

STRIDE: Final = 4
JOINTS: Final = 42
_NEAR: Final = 2
"""The place is the mean of the map this many cells around its peak."""


class SimpleBaseline(nn.Module):
    """RGB in 0..1 (B, 3, S, S) -> heat maps (B, 42, S / 4, S / 4), right hand first, peaks of 1."""

    def __init__(self, depth: int = 50) -> None:
        super().__init__()
        self.depth = depth
        self.trunk = ResNet(depth)
        self.up = upsampler(self.trunk.out_channels)
        self.head = nn.Conv2d(UPSAMPLED_CHANNELS, JOINTS, 1)
        initialise(self.up)
        initialise(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """Heat maps."""
        maps: Tensor = self.head(self.up(self.trunk(normalise(images, IMAGENET_MEAN, IMAGENET_STD))))
        return maps


def read_maps(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Heat maps (B, J, H, W) -> places (B, J, 2) px of the crop, and heights of the peaks (B, J).

    The maximum, refined by the mean of what is around it.
    """
    height, width = maps.shape[-2:]
    peak, at = maps.flatten(2).max(-1)
    row, column = at // width, at % width
    rows = torch.arange(height, device=maps.device)[None, None, :, None]
    columns = torch.arange(width, device=maps.device)[None, None, None, :]
    near = ((rows - row[..., None, None]).abs() <= _NEAR) & ((columns - column[..., None, None]).abs() <= _NEAR)
    mass = maps.clamp_min(0) * near
    whole = mass.sum((2, 3)).clamp_min(1e-6)
    x, y = (mass * columns).sum((2, 3)) / whole, (mass * rows).sum((2, 3)) / whole
    cells = torch.stack([x, y], -1)
    return (cells + 0.5) * STRIDE - 0.5, peak


def blobs(joints_px: Tensor, size: int, sigma: float) -> Tensor:
    """Places (B, J, 2) px -> maps (B, J, size, size) with a Gaussian of `sigma` cells on each, height 1."""
    cells = (joints_px + 0.5) / STRIDE - 0.5
    line = torch.arange(size, device=joints_px.device, dtype=torch.float32)
    x = torch.exp(-((line - cells[..., :1]) ** 2) / (2 * sigma**2))
    y = torch.exp(-((line - cells[..., 1:]) ** 2) / (2 * sigma**2))
    return y[..., :, None] * x[..., None, :]


def save_detector(network: SimpleBaseline, path: Path, crop_px: int, made_by: dict[str, Any]) -> None:
    """Weights, and beside them what is needed to use them."""
    save_weights(network, path, {"kind": "simple_baseline", "depth": network.depth, "crop_px": crop_px, **made_by})


def load_detector(path: Path) -> tuple[SimpleBaseline, int]:
    """The network and the side of its crops; raises UserError if the files are none of `save_detector`."""
    if not path.exists():
        raise UserError(f"{path}: no such weights, and no detector of that name; see --detector in --help")
    facts = read_json_object(sidecar_path(path), "it is written beside the weights")
    depth, crop_px = facts.get("depth"), facts.get("crop_px")
    if facts.get("kind") != "simple_baseline" or depth not in LAYOUTS or not isinstance(crop_px, int):
        raise UserError(f"{path}: no detector that python -m training.annotation train wrote")
    network = SimpleBaseline(int(depth))
    load_weights(network, path)
    return network.eval(), crop_px

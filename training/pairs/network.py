"""The pair detector: where in a whole picture a right hand, a left hand and a pair of hands that touch are.

The trunk of MediaPipe's palm detector (`training.pairs.palm_trunk`) and a head of our own at stride 8 that reads it
as "Objects as Points" does (Zhou et al., 2019): for each kind a heat map of centres, and at each cell what a centre
there would mean: its place in the cell, the size of its box, and which way up its crop is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.mobile_trunk import SameConv
from engines.pair_spec import KINDS
from training.pairs.palm_trunk import PALM_CHANNELS, PalmTrunk

_WIDTH: Final = 96
_BLOCKS: Final = 2
_RARE: Final = -4.0
"""Where the heat maps' logits begin: centres are few (Lin et al., "Focal Loss", 2017)."""


class PairMaps(NamedTuple):
    """The answer at each cell of 8 x 8 pixels, for each kind of `pair_spec.KINDS`."""

    heat: Tensor
    """(B, 3, h, w) logits of a centre in this cell."""
    offset: Tensor
    """(B, 3, 2, h, w) x, y from the middle of the cell to the centre, in cells."""
    log_size: Tensor
    """(B, 3, 2, h, w) logarithms of the box's width and height, in cells."""
    up: Tensor
    """(B, 3, 2, h, w) the direction that is up in the crop, as x, y of the picture; short where it is not known."""


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.depthwise = SameConv(_WIDTH, _WIDTH, 5, groups=_WIDTH)
        self.depthwise_norm = nn.BatchNorm2d(_WIDTH)
        self.project = nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise_norm(self.depthwise(x))
        y = self.project_norm(self.project(y))
        return F.relu(x + y)


class PairHead(nn.Module):
    """Features (B, 256, h, w) at stride 8 and (B, 512, h / 2, w / 2) at stride 16 -> PairMaps: what we train."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral_8 = nn.Conv2d(PALM_CHANNELS[0], _WIDTH, 1, bias=False)
        self.lateral_8_norm = nn.BatchNorm2d(_WIDTH)
        self.lateral_16 = nn.Conv2d(PALM_CHANNELS[1], _WIDTH, 1, bias=False)
        self.lateral_16_norm = nn.BatchNorm2d(_WIDTH)
        self.blocks = nn.Sequential(*(_Block() for _ in range(_BLOCKS)))
        self.last = nn.Conv2d(_WIDTH, _WIDTH, 1)
        self.maps = nn.Conv2d(_WIDTH, 7 * len(KINDS), 1)
        bias = torch.zeros(7 * len(KINDS))
        bias[: len(KINDS)] = _RARE
        with torch.no_grad():
            self.maps.weight.mul_(0.1)
            self.maps.bias = nn.Parameter(bias)

    def forward(self, at_8: Tensor, at_16: Tensor) -> PairMaps:
        """Read the trunk's features."""
        wide = self.lateral_16_norm(self.lateral_16(at_16))
        x = self.lateral_8_norm(self.lateral_8(at_8))
        x = F.relu(x + F.interpolate(wide, scale_factor=2, mode="bilinear", align_corners=False))
        maps = self.maps(F.relu(self.last(self.blocks(x)))).float()
        rest = maps[:, len(KINDS) :].unflatten(1, (len(KINDS), 3, 2))
        return PairMaps(maps[:, : len(KINDS)], rest[:, :, 0], rest[:, :, 1], rest[:, :, 2])


class PairNet(nn.Module):
    """RGB / 255 (B, 3, S, S) -> PairMaps, S a multiple of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = PalmTrunk()
        self.head = PairHead()

    def forward(self, images: Tensor) -> PairMaps:
        """Look at whole pictures, made square with black."""
        maps: PairMaps = self.head(*self.trunk(images))
        return maps

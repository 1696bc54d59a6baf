"""`lite`: InterNet's outputs and RootNet's factor from one small trunk, for a laptop's CPU.

A pyramid of the trunk's features at strides 32, 16 and 8 gives 42 heat maps and 42 depth maps at stride 8; the pooled
features give handedness, the relative root depth in bins, and RootNet's gamma for both hands (all as in Moon et al.,
ECCV 2020 and ICCV 2019, but with one trunk and coordinates read below one heat-map cell). Attention between the joints
then corrects all of it (`engines.networks.joint_tokens`).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.joint_tokens import Corrections, JointTokens
from engines.networks.mobile_trunk import POOLED_CHANNELS, TAP_CHANNELS, MobileTrunk
from engines.spec import LITE, NetworkSpec

JOINTS = 42
LOOKS = 1
"""How often the joints' attention looks at the features again."""
LEAST_GAMMA = 0.2
"""No hand is so near that a crop of it is narrower than this share of RootNet's 300 mm."""


class LiteMaps(NamedTuple):
    """What the network computes before joints are read out of it."""

    heat_logits: Tensor
    """(B, 42, h, w); their softmax over the map is where the joint is."""
    depth_mm: Tensor
    """(B, 42, h, w) depth relative to the hand's wrist, as seen from each cell."""
    hand_logits: Tensor
    """(B, 2) right, left."""
    root_logits: Tensor
    """(B, 64) bins of the left wrist's depth relative to the right one."""
    gamma: Tensor
    """(B, 2) RootNet's factor, right and left."""
    moved_cells: Tensor
    """(B, 42, 2) what the joints' attention adds to the places of the heat maps, in cells."""
    moved_mm: Tensor
    """(B, 42) what it adds to the depths."""
    earlier_logits: Tensor
    """(B, looks, 42, h, w) the heat maps before each look of the joints' attention; training teaches them, too."""
    mask_logits: Tensor
    """(B, 2, h, w) whether a cell shows the right hand, the left one; a task for training, in no engine."""


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """Adds what its body makes of the input, which ends in a batch norm.

    It starts as the identity, so that a trained network may be given more of them.
    """

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        nn.init.zeros_(cast(Tensor, self.body[-1].weight))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w), not negative -> the same shape, not negative."""
        return F.relu(x + self.body(x), inplace=True)


def _refine(width: int) -> _Residual:
    return _Residual(_conv(width, width, 3), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))


def _wide(width: int) -> _Residual:
    """A 7x7 depth-wise convolution and a perceptron of each cell (Liu et al., "A ConvNet for the 2020s", CVPR 2022).

    For a quarter of `_refine`'s work it sees twice as far.
    """
    return _Residual(
        nn.Conv2d(width, width, 7, padding=3, groups=width, bias=False),
        nn.BatchNorm2d(width),
        _conv(width, 2 * width, 1),
        nn.Conv2d(2 * width, width, 1, bias=False),
        nn.BatchNorm2d(width),
    )


def _head(outputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(POOLED_CHANNELS, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs))


class Lite(nn.Module):
    """RGB / 255 (B, 3, 224, 224) -> LiteMaps. Any multiple of 32 works as input side."""

    added = ("wide16.", "wide8.")
    """The newest parts; while they are young they learn faster than what they are added to (`added_factor`)."""
    may_lack = (*(f"tokens.again.{look}." for look in range(LOOKS)), "masks.", *added)
    """What weights from before these looks, masks and blocks do not hold; it starts as if it were not there."""
    confidence_fit: Tensor
    """(2,) slope and offset of the confidence against the logarithm of a heat map's spread; fitted after training."""

    def __init__(self, width: int = 96, hidden: int = 256, spec: NetworkSpec = LITE) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = MobileTrunk()
        self.lateral = nn.ModuleList(_conv(channels, width, 1) for channels in TAP_CHANNELS)
        self.context = nn.Linear(POOLED_CHANNELS, width)
        self.refine32 = nn.Sequential(_refine(width), _refine(width))
        self.merge16 = nn.Sequential(_conv(width, width, 3), _refine(width), _refine(width))
        self.merge8 = nn.Sequential(_conv(width, width, 3), _conv(width, width, 3))
        self.wide16 = nn.Sequential(_wide(width), _wide(width))
        self.wide8 = nn.Sequential(_wide(width), _wide(width))
        self.maps = nn.Conv2d(width, 2 * JOINTS, 1)
        self.masks = nn.Conv2d(width, 2, 1)
        self.hand = _head(2, hidden)
        self.root = _head(spec.depth_bins, hidden)
        self.gamma = _head(2, hidden)
        self.tokens = JointTokens(width, POOLED_CHANNELS, JOINTS, spec.depth_bins, looks=LOOKS)
        nn.init.normal_(self.maps.weight, std=0.001)
        for zero in (self.context.weight, self.context.bias, self.masks.weight, self.masks.bias):
            nn.init.zeros_(cast(Tensor, zero))
        self.register_buffer("confidence_fit", torch.tensor([-2.0, 2.0]))

    def forward(self, images: Tensor, done: int = 0) -> LiteMaps:
        """RGB / 255 (B, 3, S, S), or what `done` stages made of it -> maps at stride 8, pooled answers, all float32."""
        return self.read(*self.trunk(images, done))

    def read(self, at8: Tensor, at16: Tensor, at32: Tensor, pooled: Tensor) -> LiteMaps:
        """Read the trunk's features."""
        # the pooled features know the whole hand: which one it is, and its pose
        x = self.refine32(F.relu(self.lateral[2](at32) + self.context(pooled)[..., None, None]))
        x = self.wide16(self.merge16(self.lateral[1](at16) + _double(x)))
        x = self.wide8(self.merge8(self.lateral[0](at8) + _double(x)))
        heat, depth = self.maps(x).float().split(JOINTS, dim=1)
        depth_mm = depth * 100.0
        # depths are read off as numbers, not compared: in a half-precision engine all of this stays in fp32
        root, gamma = (head(pooled.float()).float() for head in (self.root, self.gamma))
        more: Corrections = self.tokens(x.float(), heat, depth_mm, pooled.float())
        return LiteMaps(
            more.heat_logits,
            depth_mm,
            self.hand(pooled).float() + more.hand_logits,
            root + more.root_logits,
            F.softplus(gamma + more.gamma) + LEAST_GAMMA,
            more.cells,
            more.depth_mm,
            more.earlier_logits,
            self.masks(x).float(),
        )


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")

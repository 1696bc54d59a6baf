"""Joints that know of each other: one token for each of the 42 joints, two layers of self-attention, corrections.

A heat map sees a joint where it is; how deep it lies follows from the others, too: bones keep their lengths, fingers
bend one way. Features are gathered where each heat map says its joint is, and attention between joints (Vaswani et al.,
"Attention is all you need", 2017; for two hands: Hampali et al., "Keypoint Transformer", CVPR 2022) moves places and
depths, and says something of both hands. Every correction starts as zero: a trained network may be given this.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

_HEADS = 4
_DEPTH_UNIT_MM = 100.0


class Corrections(NamedTuple):
    """What is added to the answers of the maps and of the pooled heads."""

    cells: Tensor
    """(B, J, 2) x, y in heat-map cells."""
    depth_mm: Tensor
    """(B, J)."""
    hand_logits: Tensor
    """(B, 2)."""
    root_logits: Tensor
    """(B, bins)."""
    gamma: Tensor
    """(B, 2) before the soft-plus."""


class _Layer(nn.Module):
    """Self-attention and a perceptron, each after a norm and added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.ReLU(inplace=True), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, J, C) -> (B, J, C)."""
        batch, count, width = tokens.shape
        parts = self.qkv(self.norm(tokens)).reshape(batch, count, 3, _HEADS, width // _HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) * (width // _HEADS) ** -0.5
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, count, width)
        tokens = tokens + self.out(mixed)
        return tokens + self.perceptron(tokens)


class JointTokens(nn.Module):
    """Features, heat maps, depth maps and pooled features -> Corrections."""

    def __init__(self, features: int, pooled: int, joints: int, bins: int, width: int = 128, layers: int = 2) -> None:
        super().__init__()
        self.seen = nn.Linear(features, width)
        self.place = nn.Linear(4, width)
        self.whole = nn.Linear(pooled, width)
        self.names = nn.Parameter(torch.randn(joints, width) * 0.5)
        self.layers = nn.Sequential(*(_Layer(width) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.joint = nn.Linear(width, 3)
        self.hands = nn.Linear(2 * width, 4 + bins)
        for last in (self.joint, self.hands):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, features: Tensor, heat_logits: Tensor, depth_mm: Tensor, pooled: Tensor) -> Corrections:
        """(B, F, h, w), (B, J, h, w) twice, (B, P) -> Corrections; J is both hands' joints, right before left."""
        share = heat_logits.flatten(2).softmax(-1)
        seen = share @ features.flatten(2).transpose(1, 2)
        tokens = self.seen(seen) + self.place(_places(share, depth_mm)) + self.names + self.whole(pooled)[:, None]
        tokens = self.norm(self.layers(tokens))
        moved = self.joint(tokens).float()
        right, left = tokens.unflatten(1, (2, -1)).mean(2).unbind(1)
        said = self.hands(torch.cat([right, left], -1)).float()
        return Corrections(moved[..., :2], moved[..., 2] * _DEPTH_UNIT_MM, said[:, :2], said[:, 4:], said[:, 2:4])


def _places(share: Tensor, depth_mm: Tensor) -> Tensor:
    """(B, J, 4): x and y in -1..1, logarithm of the spread, and depth, as the maps say them."""
    height, width = depth_mm.shape[-2:]
    grid = share.unflatten(2, (height, width))
    steps = [torch.linspace(-1, 1, n, dtype=share.dtype, device=share.device) for n in (width, height)]
    along = grid.sum(2), grid.sum(3)
    x, y = ((part * step).sum(-1) for part, step in zip(along, steps, strict=True))
    squares = sum((part * step.square()).sum(-1) for part, step in zip(along, steps, strict=True))
    spread = (squares - x.square() - y.square()).clamp_min(1.0e-4).log() * 0.25
    depth = (share * depth_mm.flatten(2)).sum(-1) / _DEPTH_UNIT_MM
    return torch.stack([x, y, spread + 1, depth], -1)

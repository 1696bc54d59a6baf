"""Joints that know of each other: one token for each of the 42 joints, self-attention, second looks, corrections.

A heat map sees a joint where it is; how deep it lies follows from the others, too: bones keep their lengths, fingers
bend one way. Features are gathered where each heat map says its joint is, and attention between joints (Vaswani et al.,
"Attention is all you need", 2017; for two hands: Hampali et al., "Keypoint Transformer", CVPR 2022) moves places and
depths, and says something of both hands.

Where hands are clasped a heat map does not know which of ten fingers it sees, and its mean lies between them. So every
token looks again: it asks the whole map of features anew, knowing of the other joints, and what it finds is added to
its heat map (as queries ask pixels in Cheng et al., "Mask2Former", CVPR 2022); features are then gathered where that
says. Every correction and every look starts as zero: a trained network may be given this.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

_HEADS = 4
_DEPTH_UNIT_MM = 100.0
_WAVES = (0.5, 1.0, 2.0)
"""By how many half turns over half a map the sines and cosines that tell a cell's place go round."""
_PLACES = 4 * len(_WAVES)


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
    heat_logits: Tensor
    """(B, J, h, w) the heat maps after the last look, to which `cells` is added."""
    earlier_logits: Tensor
    """(B, looks, J, h, w) the heat maps before each look."""


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


class _LookAgain(nn.Module):
    """Tokens ask all features where their joint is, gather what is there, and hear each other once more."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, features + _PLACES)
        self.seen = nn.Linear(features, width)
        self.place = nn.Linear(4, width)
        self.layer = _Layer(width)
        for last in (self.query, self.seen, self.place, self.layer.out, self.layer.perceptron[-1]):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self, tokens: Tensor, features: Tensor, cells: Tensor, heat_logits: Tensor, depth_mm: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B, J, C), features (B, F, h, w), the same with places (B, F + places, h w), maps (B, J, h, w) ->
        tokens and heat maps.
        """
        # a convolution over single cells, of the token's own making
        found = self.query(self.norm(tokens)) @ cells
        heat_logits = heat_logits + found.float().unflatten(2, heat_logits.shape[-2:])
        seen, place = _gathered(heat_logits, features, depth_mm)
        return self.layer(tokens + self.seen(seen) + self.place(place)), heat_logits


class JointTokens(nn.Module):
    """Features, heat maps, depth maps and pooled features -> Corrections."""

    def __init__(
        self, features: int, pooled: int, joints: int, bins: int, width: int = 128, layers: int = 2, looks: int = 1
    ) -> None:
        super().__init__()
        self.seen = nn.Linear(features, width)
        self.place = nn.Linear(4, width)
        self.whole = nn.Linear(pooled, width)
        self.names = nn.Parameter(torch.randn(joints, width) * 0.5)
        self.layers = nn.Sequential(*(_Layer(width) for _ in range(layers)))
        self.again = nn.ModuleList(_LookAgain(features, width) for _ in range(looks))
        self.norm = nn.LayerNorm(width)
        self.joint = nn.Linear(width, 3)
        self.hands = nn.Linear(2 * width, 4 + bins)
        for last in (self.joint, self.hands):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, features: Tensor, heat_logits: Tensor, depth_mm: Tensor, pooled: Tensor) -> Corrections:
        """(B, F, h, w), (B, J, h, w) twice, (B, P) -> Corrections; J is both hands' joints, right before left."""
        cells = torch.cat([features, _places(features)], 1).flatten(2)
        seen, place = _gathered(heat_logits, features, depth_mm)
        tokens = self.layers(self.seen(seen) + self.place(place) + self.names + self.whole(pooled)[:, None])
        maps = [heat_logits]
        for look in self.again:
            tokens, heat_logits = look(tokens, features, cells, heat_logits, depth_mm)
            maps.append(heat_logits)
        tokens = self.norm(tokens)
        moved = self.joint(tokens).float()
        right, left = tokens.unflatten(1, (2, -1)).mean(2).unbind(1)
        said = self.hands(torch.cat([right, left], -1)).float()
        return Corrections(
            cells=moved[..., :2],
            depth_mm=moved[..., 2] * _DEPTH_UNIT_MM,
            hand_logits=said[:, :2],
            root_logits=said[:, 4:],
            gamma=said[:, 2:4],
            heat_logits=maps[-1],
            earlier_logits=torch.stack(maps[:-1], 1),
        )


def _places(features: Tensor) -> Tensor:
    """(B, 12, h, w): sines and cosines of each cell's x and y, by which a query can ask for a place.

    Waves instead of powers: they stay near 1, so that half precision tells neighbouring cells apart.
    """
    height, width = features.shape[-2:]
    x, y = (torch.linspace(-1, 1, n, dtype=features.dtype, device=features.device) for n in (width, height))
    angles = [
        wave * torch.pi * along
        for wave in _WAVES
        for along in (x.expand(height, width), y[:, None].expand(height, width))
    ]
    waves = torch.stack([f(angle) for angle in angles for f in (torch.sin, torch.cos)])
    return waves * torch.ones_like(
        features[:, :1]
    )  # for each picture; a number of them would be written into the graph


def _gathered(heat_logits: Tensor, features: Tensor, depth_mm: Tensor) -> tuple[Tensor, Tensor]:
    """Where heat maps (B, J, h, w) say the joints are: the features there (B, J, F), and what the maps say (B, J, 4).

    The latter are x and y in -1..1, the logarithm of the spread, and the depth.
    """
    share = heat_logits.flatten(2).softmax(-1)
    seen = share @ features.flatten(2).transpose(1, 2)
    height, width = depth_mm.shape[-2:]
    grid = share.unflatten(2, (height, width))
    steps = [torch.linspace(-1, 1, n, dtype=share.dtype, device=share.device) for n in (width, height)]
    along = grid.sum(2), grid.sum(3)
    x, y = ((part * step).sum(-1) for part, step in zip(along, steps, strict=True))
    squares = sum((part * step.square()).sum(-1) for part, step in zip(along, steps, strict=True))
    spread = (squares - x.square() - y.square()).clamp_min(1.0e-4).log() * 0.25
    depth = (share * depth_mm.flatten(2)).sum(-1) / _DEPTH_UNIT_MM
    return seen, torch.stack([x, y, spread + 1, depth], -1)

"""RootNet as published (Moon et al., ICCV 2019): where the root is in the picture, and how far away.

Parameter names are those of the released checkpoint without its prefix `module.`. For hands it gives two roots, the
right wrist's and the left one's, from one crop; the published network for bodies gives one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.networks.internet import UPSAMPLED_CHANNELS, upsampler
from engines.networks.resnet import ResNet, initialise


class _RootHeads(nn.Module):
    """The root's place in the picture from upsampled features, its depth factor from pooled ones."""

    def __init__(self, inputs: int, roots: int) -> None:
        super().__init__()
        self.deconv_layers = upsampler(inputs)
        self.xy_layer = nn.Conv2d(UPSAMPLED_CHANNELS, roots, 1)
        self.depth_layer = nn.Conv2d(inputs, roots, 1)
        initialise(self)

    def gamma(self, features: Tensor) -> Tensor:
        return self.depth_layer(features.mean((2, 3), keepdim=True)).flatten(1).float()

    def xy(self, features: Tensor) -> Tensor:
        logits = self.xy_layer(self.deconv_layers(features)).float()
        height, width = logits.shape[-2:]
        probability = logits.flatten(2).softmax(-1).unflatten(2, (height, width))
        x = (probability.sum(2) * torch.arange(width, device=logits.device)).sum(-1)
        y = (probability.sum(3) * torch.arange(height, device=logits.device)).sum(-1)
        return torch.stack([x, y], -1)


class RootNet(nn.Module):
    """RGB / 255 less ImageNet's mean and over its deviation, (B, 3, 256, 256), and k -> the root.

    `roots` is 1 as published, or 2 for the right and the left wrist in one crop.
    """

    def __init__(self, depth: int = 50, roots: int = 1) -> None:
        super().__init__()
        self.roots = roots
        self.backbone = ResNet(depth)
        self.root = _RootHeads(self.backbone.out_channels, roots)

    @property
    def trunk(self) -> ResNet:
        """The ResNet, for ImageNet weights."""
        return self.backbone

    def forward(self, images: Tensor, k: Tensor) -> Tensor:
        """Return (B, 3): x, y in cells of the 64 x 64 heat map and depth in mm = gamma k, k (B,) or (B, 1) in mm
        (`pinhole.rootnet_k`). With two roots (B, 2, 3).
        """
        features = self.backbone(images)
        depth = self.root.gamma(features) * k.reshape(-1, 1)
        answer = torch.cat([self.root.xy(features), depth.unsqueeze(-1)], -1)
        return answer.squeeze(1) if self.roots == 1 else answer

    def gamma(self, images: Tensor) -> Tensor:
        """(B, roots) depth factors alone; the upsampling, most of the work after the trunk, is left out."""
        return self.root.gamma(self.backbone(images))

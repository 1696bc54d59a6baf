"""InterNet as published (Moon et al., ECCV 2020): 3D heat maps of both hands, handedness, relative root depth.

Parameter names are those of the released checkpoint without its prefix `module.`, so its `network` fills the module.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.networks.resnet import ResNet, initialise, normalise
from engines.skeleton import JOINTS_PER_HAND
from engines.spec import IMAGENET_MEAN, IMAGENET_STD, PAPER

UPSAMPLED_CHANNELS = 256
_HIDDEN = 512


def upsampler(inputs: int) -> nn.Sequential:
    """Three transposed convolutions 4x4 of stride 2 with batch norm and ReLU: (B, inputs, h, w) -> (B, 256, 8h, 8w)."""
    layers: list[nn.Module] = []
    for channels in (inputs, UPSAMPLED_CHANNELS, UPSAMPLED_CHANNELS):
        layers += [
            nn.ConvTranspose2d(channels, UPSAMPLED_CHANNELS, 4, 2, 1, bias=False),
            nn.BatchNorm2d(UPSAMPLED_CHANNELS),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def soft_argmax_bins(logits: Tensor) -> Tensor:
    """(B, bins) -> (B, 1): mean bin under the softmax, in fp32."""
    bins = torch.arange(logits.shape[-1], dtype=torch.float32, device=logits.device)
    return (logits.float().softmax(-1) * bins).sum(-1, keepdim=True)


class _Backbone(nn.Module):
    """Holds the trunk under the name that the checkpoint gives it."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.resnet = ResNet(depth)


class _PoseHeads(nn.Module):
    """The upsamplers of the right hand (1) and the left (2), root depth and handedness."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        volume = JOINTS_PER_HAND * PAPER.depth_bins
        self.joint_deconv_1 = upsampler(inputs)
        self.joint_conv_1 = nn.Sequential(nn.Conv2d(UPSAMPLED_CHANNELS, volume, 1))
        self.joint_deconv_2 = upsampler(inputs)
        self.joint_conv_2 = nn.Sequential(nn.Conv2d(UPSAMPLED_CHANNELS, volume, 1))
        self.root_fc = _two_layers(inputs, PAPER.depth_bins)
        self.hand_fc = _two_layers(inputs, 2)
        initialise(self)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        right = self.joint_conv_1(self.joint_deconv_1(features))
        left = self.joint_conv_2(self.joint_deconv_2(features))
        heat = torch.cat([right, left], 1).unflatten(1, (2 * JOINTS_PER_HAND, PAPER.depth_bins))
        pooled = features.mean((2, 3))
        return heat, soft_argmax_bins(self.root_fc(pooled)), self.hand_fc(pooled).float().sigmoid()


def _two_layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, _HIDDEN), nn.ReLU(inplace=True), nn.Linear(_HIDDEN, outputs))


class InterNet(nn.Module):
    """RGB / 255 (B, 3, 256, 256) -> heat maps, relative root depth in bins, hand probability.

    `imagenet_input` subtracts ImageNet's mean and divides by its deviation first: mmpose trained its checkpoints so,
    the released code does not. `mean_readout` says that the volumes are logits, and a joint is their mean under a
    softmax: how section 6.5 of the paper trains with 2D labels. Else a joint is a volume's highest voxel.
    """

    def __init__(self, depth: int = 50, imagenet_input: bool = False, mean_readout: bool = False) -> None:
        super().__init__()
        self.imagenet_input = imagenet_input
        self.mean_readout = mean_readout
        self.backbone_net = _Backbone(depth)
        self.pose_net = _PoseHeads(self.trunk.out_channels)

    @property
    def trunk(self) -> ResNet:
        """The ResNet, for ImageNet weights."""
        return self.backbone_net.resnet

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return heat maps (B, 42, 64, 64, 64) as joint, depth, y, x with peaks of up to 255; the left wrist's depth
        relative to the right one in bins (B, 1); and the probability of a right and a left hand (B, 2).
        """
        if self.imagenet_input:
            images = normalise(images, IMAGENET_MEAN, IMAGENET_STD)
        outputs: tuple[Tensor, Tensor, Tensor] = self.pose_net(self.trunk(images))
        return outputs

"""ResNet 18 to 152 without their classifier (He et al., CVPR 2016), in torchvision's parameter names.

Stride 2 sits in a bottleneck's 3x3 convolution, as in torchvision's weights, not in its first 1x1 as in the paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from engines.errors import UserError
from engines.networks.reading import fill, read_tensors

INITIAL_STD: Final = 0.001
"""Standard deviation of fresh convolutions, as published for InterNet and RootNet."""

FIRST_CHANNELS = 64
"""Channels of the first stage; each later one has twice as many. Tests of loops and files make it smaller."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """A projection where shapes change, else None: the identity."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


LAYOUTS: Final[dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
"""Block and number of blocks in each of the four stages."""


class ResNet(nn.Module):
    """Images (B, 3, H, W) -> features (B, out_channels, H / 32, W / 32)."""

    def __init__(self, depth: int = 50) -> None:
        super().__init__()
        if depth not in LAYOUTS:
            raise UserError(f"there is no ResNet-{depth}; choose one of {', '.join(map(str, LAYOUTS))}")
        block, counts = LAYOUTS[depth]
        self.depth = depth
        widths = [FIRST_CHANNELS << k for k in range(len(counts))]
        self.out_channels = widths[-1] * block.expansion
        self.conv1 = nn.Conv2d(3, FIRST_CHANNELS, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(FIRST_CHANNELS)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(block, FIRST_CHANNELS, widths[0], counts[0], 1)
        self.layer2 = _stage(block, widths[0] * block.expansion, widths[1], counts[1], 2)
        self.layer3 = _stage(block, widths[1] * block.expansion, widths[2], counts[2], 2)
        self.layer4 = _stage(block, widths[2] * block.expansion, widths[3], counts[3], 2)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of the last stage."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return features


def _stage(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, width: int, count: int, stride: int
) -> nn.Sequential:
    """`count` blocks, of which the first changes size and channels."""
    first = block(inputs, width, stride)
    return nn.Sequential(first, *(block(width * block.expansion, width, 1) for _ in range(count - 1)))


def initialise(module: nn.Module) -> None:
    """Gaussian weights of standard deviation 0.001, zero biases, neutral batch norm, in place."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, std=INITIAL_STD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)


def load_imagenet(trunk: ResNet, path: Path) -> None:
    """Fill the trunk from a file of ImageNet weights (torchvision's `.pth`, or safetensors) without its classifier.

    Raises UserError if the file cannot be read or belongs to a ResNet of another depth.
    """
    tensors = {name: value for name, value in read_tensors(path).items() if not name.startswith("fc.")}
    fill(trunk, tensors, path, f"a ResNet-{trunk.depth} trunk")


def depth_of(names: Iterable[str], prefix: str) -> int | None:
    """The depth of the ResNet whose parameters stand below `prefix`, or None if they are those of no known one."""
    blocks: set[tuple[int, int]] = set()
    bottleneck = False
    for name in names:
        parts = name.removeprefix(prefix).split(".")
        if name.startswith(f"{prefix}layer") and len(parts) > 2 and parts[1].isdecimal():
            blocks.add((int(parts[0].removeprefix("layer")), int(parts[1])))
            bottleneck |= parts[2] == "conv3"
    counts = tuple(sum(stage == k for stage, _ in blocks) for k in (1, 2, 3, 4))
    wanted = (Bottleneck if bottleneck else BasicBlock, counts)
    return next((depth for depth, layout in LAYOUTS.items() if layout == wanted), None)


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(images - mean) / std per channel, (B, 3, H, W).

    The numbers are arguments of the kernels: a tensor made of them would be copied to the GPU, which no CUDA graph may
    do while it is captured.
    """
    return torch.cat([(images[:, k : k + 1] - mean[k]) / std[k] for k in range(len(mean))], 1)

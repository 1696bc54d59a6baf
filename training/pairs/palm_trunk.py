"""The trunk of MediaPipe's palm detector, as a plain chain of depth-wise blocks: features of whole pictures with hands.

The layout is that of `palm_detection_lite.tflite` (Apache-2.0; Zhang et al., "MediaPipe Hands", 2020): a 5x5 stem,
residual blocks of a 5x5 depth-wise and a 1x1 convolution, each with a PReLU after its sum, down to a stride of 32, and
up again to strides 16 and 8 (Lin et al., "Feature Pyramid Networks", 2017). It has seen very many real hands in whole
pictures, which no renders replace; `training.pairs.palm_weights` reads its weights from the installed wheel.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.mobile_trunk import SameConv

PALM_CHANNELS: Final = (256, 512)
"""Of the features at strides 8 and 16: half from the way up, half from the way down, which say more of shapes."""
_LEVELS: Final = (32, 64, 128, 256, 256)
"""Channels at strides 2, 4, 8, 16 and 32."""
_BLOCKS: Final = 3
"""Of equal size at each stride, on the way down; on the way up there are two."""


class PalmBlock(nn.Module):
    """A 5x5 depth-wise and a 1x1 convolution, added to the input: halved by its largest values where the stride is 2,
    with zeros for channels that are new.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = SameConv(inputs, inputs, 5, stride, groups=inputs)
        self.project = SameConv(inputs, outputs, 1)
        self.activation = nn.PReLU(outputs)
        self._more, self._stride = outputs - inputs, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        kept = F.max_pool2d(x, 2) if self._stride == 2 else x
        if self._more:
            kept = F.pad(kept, (0, 0, 0, 0, 0, self._more))
        y: Tensor = self.activation(kept + self.project(self.depthwise(x)))
        return y


class _Up(nn.Module):
    """Twice the size, added to the features of that size, and two blocks."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.project = SameConv(inputs, outputs, 1)
        self.activation = nn.PReLU(outputs)
        self.blocks = nn.Sequential(PalmBlock(outputs, outputs), PalmBlock(outputs, outputs))

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        up = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
        y: Tensor = self.blocks(self.activation(self.project(up)) + large)
        return y


class PalmTrunk(nn.Module):
    """RGB / 255 (B, 3, H, W) -> features at strides 8 and 16; H and W multiples of 32, the detector's own are 192."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, _LEVELS[0], 5, 2)
        self.activation = nn.PReLU(_LEVELS[0])
        self.levels = nn.ModuleList()
        for k, channels in enumerate(_LEVELS):
            first = [] if k == 0 else [PalmBlock(_LEVELS[k - 1], channels, 2)]
            self.levels.append(nn.Sequential(*first, *(PalmBlock(channels, channels) for _ in range(_BLOCKS))))
        self.up_16 = _Up(_LEVELS[4], _LEVELS[3])
        self.up_8 = _Up(_LEVELS[3], _LEVELS[2])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, 256, H / 8, W / 8) and (B, 512, H / 16, W / 16)."""
        x = self.activation(self.stem(images))
        levels = []
        for level in self.levels:
            x = level(x)
            levels.append(x)
        at_16 = self.up_16(levels[4], levels[3])
        at_8 = self.up_8(at_16, levels[2])
        return torch.cat([at_8, levels[2]], 1), torch.cat([at_16, levels[3]], 1)

    def convolutions(self) -> list[nn.Conv2d]:
        """All convolutions in the order in which they run."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]

    def slopes(self) -> list[torch.nn.Parameter]:
        """Those of all PReLUs in that order."""
        return [module.weight for module in self.modules() if isinstance(module, nn.PReLU)]

"""The trunk of `lite`: MediaPipe's hand landmark network, as a plain chain of inverted residuals.

The layout is that of `hand_landmark_full.tflite` (Apache-2.0): a 3x3 stem, inverted residuals (Sandler et al., 2018)
with 3x3 and 5x5 depth-wise convolutions and ReLU6, batch norm folded into the convolutions. Its weights have seen very
many real hands; `training/lite/mediapipe_trunk.py` reads them from the installed wheel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.depthwise import depthwise_conv2d


@dataclass(frozen=True)
class _Stage:
    """One inverted residual: expanded channels, kernel, stride, output channels; equal shapes add their input."""

    expanded: int
    kernel: int
    stride: int
    out: int


_STAGES: Final = (
    _Stage(64, 3, 2, 24),
    _Stage(144, 3, 1, 24),
    _Stage(144, 5, 2, 40),
    _Stage(240, 5, 1, 40),
    _Stage(240, 3, 2, 80),
    _Stage(480, 3, 1, 80),
    _Stage(480, 3, 1, 80),
    _Stage(480, 5, 1, 112),
    _Stage(672, 5, 1, 112),
    _Stage(672, 5, 1, 112),
    _Stage(672, 5, 2, 192),
    _Stage(1152, 5, 1, 192),
    _Stage(1152, 5, 1, 192),
    _Stage(1152, 5, 1, 192),
)
_TAPS: Final = (3, 9, 13)
"""Stages whose output leaves the trunk: strides 8, 16 and 32."""
MOST_DONE: Final = _TAPS[0] + 1
"""Stages up to the first of these; `MobileTrunk` can go on from there, or from before it."""

TAP_CHANNELS: Final = (40, 112, 192)
POOLED_CHANNELS: Final = 1152


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, which puts the odd pixel right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        total = kernel - stride  # for inputs that the stride divides
        even = total % 2 == 0
        super().__init__(inputs, outputs, kernel, stride, total // 2 if even else 0, groups=groups)
        self.same_pad = None if even else (total // 2, total - total // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        padded = x if self.same_pad is None else F.pad(x, self.same_pad)
        if self.training and self.groups > 1 and self.bias is not None:
            return depthwise_conv2d(padded, self.weight, self.bias, self.stride[0], int(self.padding[0]))
        return super().forward(padded)


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(SameConv(channels, channels, kernel, stride, groups=channels), nn.ReLU6(inplace=True))


def _pointwise(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(SameConv(inputs, outputs, 1), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Expand, depth-wise convolution, project; adds its input where the shapes agree."""

    def __init__(self, inputs: int, stage: _Stage) -> None:
        super().__init__()
        self.expand = _pointwise(inputs, stage.expanded)
        self.depthwise = _depthwise(stage.expanded, stage.kernel, stage.stride)
        self.project = SameConv(stage.expanded, stage.out, 1)
        self.adds_input = stage.stride == 1 and inputs == stage.out

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.adds_input else y


class MobileTrunk(nn.Module):
    """RGB / 255 (B, 3, H, W) -> features at strides 8, 16, 32 and (B, 1152) pooled; H and W multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConv(3, 24, 3, 2), nn.ReLU6(inplace=True))
        self.stem_depthwise = _depthwise(24, 3, 1)
        self.stem_project = SameConv(24, 16, 1)
        widths = [16] + [stage.out for stage in _STAGES]
        self.stages = nn.ModuleList(InvertedResidual(w, stage) for w, stage in zip(widths[:-1], _STAGES, strict=True))
        self.top = nn.Sequential(_pointwise(_STAGES[-1].out, POOLED_CHANNELS), _depthwise(POOLED_CHANNELS, 3, 1))

    def forward(self, images: Tensor, done: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features at strides 8, 16 and 32, and the pooled ones.

        With `done`, `MOST_DONE` at most, `images` are what `early` made of them, that many stages on.
        """
        x = images if done else self.early(images, 0)
        taps = [x] if done == MOST_DONE else []
        for index, stage in enumerate(self.stages[done:], done):
            x = stage(x)
            if index in _TAPS:
                taps.append(x)
        pooled = self.top(x).mean((2, 3))
        return taps[0], taps[1], taps[2], pooled

    def early(self, images: Tensor, stages: int) -> Tensor:
        """RGB / 255 (B, 3, H, W) -> features after the stem and the first `stages` stages."""
        x: Tensor = self.stem_project(self.stem_depthwise(self.stem(images)))
        for stage in self.stages[:stages]:
            x = stage(x)
        return x

    def early_part(self, stages: int) -> nn.Sequential:
        """The modules of which `early` is made, in their order."""
        return nn.Sequential(self.stem, self.stem_depthwise, self.stem_project, *self.stages[:stages])

    def convolutions(self) -> list[nn.Conv2d]:
        """All convolutions in the order in which they run."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]


def depthwise_kernels(trunk: MobileTrunk) -> list[torch.nn.Parameter]:
    """Kernels of the depth-wise convolutions, without their biases."""
    kernels = [conv.weight for conv in trunk.convolutions() if conv.groups > 1]
    return cast(list[torch.nn.Parameter], kernels)


def early_parameters(trunk: MobileTrunk, stages: int) -> list[torch.nn.Parameter]:
    """Parameters of the stem and of the first `stages` stages: general features that need no retraining."""
    return list(trunk.early_part(stages).parameters())

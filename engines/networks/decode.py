"""Reading joints and depths out of a network's maps, inside the graph and below one heat-map cell (torch).

The same functions run in training, in the exported engine and in the tests. Soft-argmax after Sun et al., "Integral
Human Pose Regression", ECCV 2018.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engines.networks.lite import Lite, LiteMaps
from engines.networks.witness import Witness, heard, joined, say
from engines.spec import OUTPUT_NAMES, NetworkSpec


def crop_from_heat(cell: Tensor, stride: int) -> Tensor:
    """Heat-map cells to crop pixels; the centre of cell 0 lies in the middle of its first `stride` pixels."""
    return (cell + 0.5) * stride - 0.5


def heat_from_crop(pixel: Tensor, stride: int) -> Tensor:
    """Crop pixels to heat-map cells, the inverse of `crop_from_heat`."""
    return (pixel + 0.5) / stride - 0.5


def expectation(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the position under a softmax of (B, J, h, w) logits, in cells: (B, J, 2) and (B, J)."""
    height, width = logits.shape[-2:]
    probability = logits.flatten(2).softmax(-1).unflatten(2, (height, width))
    along_x, along_y = probability.sum(2), probability.sum(3)
    cells_x = torch.arange(width, dtype=logits.dtype, device=logits.device)
    cells_y = torch.arange(height, dtype=logits.dtype, device=logits.device)
    x, y = (along_x * cells_x).sum(-1), (along_y * cells_y).sum(-1)
    variance = (along_x * cells_x.square()).sum(-1) - x.square() + (along_y * cells_y.square()).sum(-1) - y.square()
    return torch.stack([x, y], -1), variance.clamp_min(1.0e-4)


def joint_cells(maps: LiteMaps) -> tuple[Tensor, Tensor]:
    """(B, 42, 2) where the joints are, in cells, and (B, 42) the variance of their heat maps."""
    cells, variance = expectation(maps.heat_logits)
    return cells + maps.moved_cells, variance


def joint_depth_mm(maps: LiteMaps) -> Tensor:
    """(B, 42) root-relative depth: the depth maps averaged where the heat maps say the joint is, and corrected."""
    probability = maps.heat_logits.flatten(2).softmax(-1)
    return (probability * maps.depth_mm.flatten(2)).sum(-1) + maps.moved_mm


def left_minus_right_root_mm(root_logits: Tensor, spec: NetworkSpec) -> Tensor:
    """(B,) soft-argmax over the bins; bin b stands for (b / bins * 2 - 1) * range / 2 (released InterNet)."""
    bins = torch.arange(spec.depth_bins, dtype=root_logits.dtype, device=root_logits.device)
    mean = (root_logits.softmax(-1) * bins).sum(-1)
    return (mean / spec.depth_bins * 2 - 1) * spec.depth_range_mm / 2


def confidence(variance: Tensor, fit: Tensor, agreement: Tensor | None = None) -> Tensor:
    """(B, 42) probability of a good joint from the spread of its heat map, by a logistic fit on held-out data.

    `agreement` (B, 42) is what a second opinion adds to the logit.
    """
    logit = fit[0] * variance.log() + fit[1]
    return torch.sigmoid(logit if agreement is None else logit + agreement)


class Read(NamedTuple):
    """What is read out of the maps, the witness heard."""

    joints_px: Tensor
    """(B, 42, 2) pixels of the crop."""
    depth_mm: Tensor
    """(B, 42)."""
    variance: Tensor
    """(B, 42) of the heat maps, in squares of their cells."""
    agreement: Tensor | None
    """(B, 42) what the witness adds to the logit of the confidence."""
    hands: Tensor
    """(B, 2)."""
    maps: LiteMaps


class DeployedLite(nn.Module):
    """`Lite` with everything read out: RGB / 255 (B, 3, S, S) float32 -> the tensors of `spec.OUTPUT_NAMES`."""

    output_names = OUTPUT_NAMES

    def __init__(self, network: Lite, witness: Witness | None = None) -> None:
        super().__init__()
        self.network = network
        self.witness = witness

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the outputs in the order of `OUTPUT_NAMES`."""
        read = self.read(image)
        return (
            read.joints_px,
            read.depth_mm,
            confidence(read.variance, self.network.confidence_fit, read.agreement),
            read.hands,
            left_minus_right_root_mm(read.maps.root_logits, self.network.spec).unsqueeze(-1),
            read.maps.gamma,
        )

    def read(self, image: Tensor) -> Read:
        """Everything but what is made of it for the outputs."""
        features = self.network.trunk(image)
        maps = self.network.read(*features)
        cells, variance = joint_cells(maps)
        joints_px = crop_from_heat(cells, self.network.spec.heatmap_stride)
        depth_mm = joint_depth_mm(maps)
        hands, agreement = maps.hand_logits.sigmoid(), None
        if self.witness is not None:
            look = self.witness(features[0], image.shape[-1])
            hands = heard(look, hands)
            joints_px, depth_mm, agreement = joined(
                look, say(look, hands), joints_px, depth_mm, variance, maps.gamma, image.shape[-1]
            )
        return Read(joints_px, depth_mm, variance, agreement, hands, maps)


class BytesInput(nn.Module):
    """Puts the pictures' normalisation in front of a deployed network: (B, S, S, 3) uint8 BGR goes in.

    Bytes are a quarter of the floats that would else travel to the device, and no code outside the graph can
    normalise differently.
    """

    def __init__(self, deployed: nn.Module, precision: str = "fp32") -> None:
        super().__init__()
        self.deployed = deployed
        self.dtype = torch.float16 if precision == "fp16" else torch.float32

    @property
    def witness(self) -> bool:
        """Whether a second opinion on single hands is in the graph."""
        return getattr(self.deployed, "witness", None) is not None

    def forward(self, crops_bgr: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs in the order of `OUTPUT_NAMES`, fp32."""
        outputs: tuple[Tensor, ...] = self.deployed(self.image(crops_bgr))
        return outputs

    def image(self, crops_bgr: Tensor) -> Tensor:
        """(B, 3, S, S) RGB / 255 in the precision of the network."""
        # TensorRT turns bytes into numbers, but cannot transpose them.
        return (crops_bgr.to(torch.float32).permute(0, 3, 1, 2).flip(1) / 255.0).to(self.dtype)

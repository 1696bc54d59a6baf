"""Reading InterNet's 3D heat maps inside the graph: their 44 MB a crop never leave the device (torch).

The maximum of a volume is found axis by axis: the largest value of each slice, then the largest of these 64. A search
over all 262,144 voxels at once would become a sort of that width in TensorRT. With one largest voxel both agree; if
several are equally large, each axis takes its own first one.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from engines.networks.paper import PaperNetworks
from engines.networks.resnet import normalise
from engines.skeleton import JOINTS_PER_HAND, WRIST
from engines.spec import IMAGENET_MEAN, IMAGENET_STD, OUTPUT_NAMES, PAPER_PEAK, ROOTNET_AREA_MM2, NetworkSpec

_REACH: Final = 2
"""Voxels on each side of the maximum that the refinement looks at: those within one deviation of the blob."""
_FLOOR: Final = 1.0e-3
"""Share of the maximum below which a value counts as this much: the logarithm needs something positive."""

_BASES: Final = slice(7, 20, 4)
_SECOND_JOINTS: Final = slice(6, 20, 4)
"""Of the four fingers, index to little."""
_RIGID_MM: Final = (85.9, 84.4, 80.4, 77.3, 41.2, 42.7, 39.0, 29.9)
"""Wrist to the bases of the four fingers, and their first phalanges: means of six annotated real hands."""
_NEAR_CELLS: Final = 2.5
"""10 px: within it a joint counts as right."""
_GAMMA_LIMITS: Final = (0.3, 5.0)
"""A crop around a fist spans more than 90 mm, one around two hands less than 1.5 m."""


def slice_maxima(heat: Tensor) -> Tensor:
    """(B, J, 64, 64, 64) as depth, y, x -> (B, J, 3, 64) fp32: the largest value of each slice across x, y, depth."""
    over_depth = heat.amax(2)
    return torch.stack([over_depth.amax(2), over_depth.amax(3), heat.amax((3, 4))], 2).float()


def argmax_voxels(maxima: Tensor) -> Tensor:
    """Slice maxima (..., 64) -> index of the largest one (...), int64; the first of equal ones."""
    return maxima.argmax(-1)


def refined_voxels(maxima: Tensor) -> Tensor:
    """Slice maxima (..., 64) -> place of the peak below one voxel (...), fp32.

    The logarithm of a Gaussian blob is a parabola: least squares through five values around the maximum give its top,
    exactly for the blobs that InterNet is trained on, also where they are cut off by the edge of the volume.
    """
    length = maxima.shape[-1]
    top = argmax_voxels(maxima)
    middle = top.clamp(_REACH, length - 1 - _REACH)
    steps = torch.arange(-_REACH, _REACH + 1, device=maxima.device)
    values = maxima.gather(-1, middle.unsqueeze(-1) + steps)
    peak = maxima.amax(-1, keepdim=True).clamp_min(1.0e-6)
    logs = torch.maximum(values / peak, torch.full_like(peak, _FLOOR)).log()
    k = steps.to(logs.dtype)
    slope = (logs * k).sum(-1) / 10
    curvature = (logs * (k.square() - 2)).sum(-1) / 14
    # No top but a plain or a valley: then the maximum itself is the best there is.
    is_top = curvature < -1.0e-4
    offset = -slope / (2 * torch.where(is_top, curvature, -torch.ones_like(curvature)))
    refined = torch.where(is_top, middle + offset, top.to(logs.dtype))
    return torch.minimum(torch.maximum(refined, top - 1.0), top + 1.0)


def mean_voxels(logits: Tensor) -> Tensor:
    """(B, J, 64, 64, 64) as depth, y, x -> (B, J, 3) x, y, depth of the mean under a softmax, fp32 (soft-argmax)."""
    return torch.stack([_mean_index(marginal) for marginal in _marginals(logits)], -1)


def mean_readout(logits: Tensor) -> tuple[Tensor, Tensor]:
    """`mean_voxels`, and how sure each joint is (B, J): the share of the softmax within 10 px of the mean."""
    over_x, over_y, over_depth = _marginals(logits)
    x, y = _mean_index(over_x), _mean_index(over_y)
    near = _share_near(over_x, x) * _share_near(over_y, y)
    return torch.stack([x, y, _mean_index(over_depth)], -1), near


def _marginals(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probability along x, y and depth, each (B, J, length)."""
    probability = logits.float().flatten(2).softmax(-1).unflatten(2, logits.shape[2:])
    plane = probability.sum(2)
    return plane.sum(2), plane.sum(3), probability.sum((3, 4))


def _mean_index(probability: Tensor) -> Tensor:
    cells = torch.arange(probability.shape[-1], dtype=probability.dtype, device=probability.device)
    return (probability * cells).sum(-1)


def _share_near(probability: Tensor, center: Tensor) -> Tensor:
    """Share of (B, J, length) within 2.5 cells of `center` (B, J)."""
    cells = torch.arange(probability.shape[-1], dtype=probability.dtype, device=probability.device)
    return (probability * ((cells - center.unsqueeze(-1)).abs() <= _NEAR_CELLS)).sum(-1)


def joints_of(voxels: Tensor, spec: NetworkSpec) -> tuple[Tensor, Tensor]:
    """(B, 42, 3) x, y, depth voxels -> crop pixels (B, 42, 2) and depth in mm (B, 42), scaled as in the released code.

    Pixels are voxels times the stride, without the half-pixel rule; bin b is (b / 64 * 2 - 1) * 200 mm.
    """
    voxels = voxels.float()
    return voxels[..., :2] * spec.heatmap_stride, depth_mm(voxels[..., 2], spec)


def depth_mm(bins: Tensor, spec: NetworkSpec) -> Tensor:
    """Depth bins -> mm relative to the wrist."""
    return (bins / spec.depth_bins * 2 - 1) * (spec.depth_range_mm / 2)


def gamma_from_bones(joints_px: Tensor, joint_depth_mm: Tensor, input_px: int) -> Tensor:
    """(B, 2) RootNet's factor without a RootNet, from how large the palm and the first phalanges are in the crop.

    With s mm to a pixel a bone of length L has s^2 d_px^2 + dz^2 = L^2; sums over eight bones give s,
    the crop's side in mm, and gamma = side / 300 mm. A hand 10 % larger than the mean appears 10 % nearer.
    """
    hands_px = joints_px.unflatten(1, (2, JOINTS_PER_HAND))
    depths = joint_depth_mm.unflatten(1, (2, JOINTS_PER_HAND))
    across = _rigid_bones(hands_px).square().sum((2, 3))
    along = _rigid_bones(depths).square().sum(2)
    total = sum(length**2 for length in _RIGID_MM)
    # Fingers that point at the camera leave little to measure: no more than nine tenths are believed to be depth.
    side_mm = ((total - along).clamp_min(0.1 * total) / across.clamp_min(1.0)).sqrt() * input_px
    return (side_mm / ROOTNET_AREA_MM2**0.5).clamp(_GAMMA_LIMITS[0], _GAMMA_LIMITS[1])


def _rigid_bones(joints: Tensor) -> Tensor:
    """(B, 2, 21, ...) -> (B, 2, 8, ...) ends less starts, in the order of `_RIGID_MM`.

    Slices, because a list of joints would travel to the GPU, which no CUDA graph may do while it is captured.
    """
    bases = joints[:, :, _BASES]
    return torch.cat([bases - joints[:, :, WRIST : WRIST + 1], joints[:, :, _SECOND_JOINTS] - bases], 2)


class DeployedPaper(nn.Module):
    """InterNet and RootNet with everything read out: RGB / 255 (B, 3, 256, 256) -> the tensors of `OUTPUT_NAMES`."""

    output_names = OUTPUT_NAMES

    def __init__(self, networks: PaperNetworks, spec: NetworkSpec) -> None:
        super().__init__()
        self.network = networks
        self.spec = spec

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the outputs in the order of `OUTPUT_NAMES`; the confidence of a joint is its peak's height."""
        return (*self.pose(image), self.factors(image)) if self.has_rootnet else self._alone(image)

    @property
    def has_rootnet(self) -> bool:
        """Whether `factors` can be computed, beside `pose` and independently of it."""
        return self.network.rootnet is not None

    def factors(self, image: Tensor) -> Tensor:
        """(B, 2) RootNet's gamma; with one root, both hands get its depth."""
        assert self.network.rootnet is not None
        return self.network.rootnet.gamma(normalise(image, IMAGENET_MEAN, IMAGENET_STD)).expand(-1, 2)

    def pose(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """All outputs but RootNet's, which are InterNet's."""
        heat, root_bins, hands = self.network.internet(image)
        voxels, confidence = mean_readout(heat) if self.network.internet.mean_readout else self._peaks(heat)
        joints_px, joint_depth = joints_of(voxels, self.spec)
        return joints_px, joint_depth, confidence, hands, depth_mm(root_bins, self.spec)

    def _peaks(self, heat: Tensor) -> tuple[Tensor, Tensor]:
        """Voxels of the maxima (B, 42, 3) and their height (B, 42) in 0..1."""
        maxima = slice_maxima(heat)
        voxels = refined_voxels(maxima) if self.spec.readout == "refined" else argmax_voxels(maxima)
        return voxels, (maxima[:, :, 0].amax(-1) / PAPER_PEAK).clamp(0.0, 1.0)

    def _alone(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        found = self.pose(image)
        return (*found, gamma_from_bones(found[0], found[1], self.spec.input_px))

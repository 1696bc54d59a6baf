"""Weights for the paper's networks that were never trained, yet give heat maps with one clear peak per joint.

Fresh random weights give noise whose maximum jumps at the slightest rounding, so nothing can be learned from comparing
joints. Here the upsampling interpolates, and the last layer draws a Gaussian along depth: one smooth blob a joint, as
high as in training, in a place that depends on the picture. Speed does not depend on the values of weights.
"""

from __future__ import annotations

import torch
from torch import nn

from engines.networks.internet import InterNet
from engines.networks.paper import PaperNetworks
from engines.networks.rootnet import RootNet
from engines.spec import PAPER, PAPER_PEAK, PAPER_SIGMA

_SMOOTH = (0.25, 0.75, 0.75, 0.25)
"""Bilinear interpolation to twice the size, as a transposed convolution of stride 2."""
_CUT = 0.7
"""Share of a feature's peak that is cut off below: what is left is a blob about as narrow as a trained one."""


@torch.inference_mode()
def smooth_paper(depth: int = 50, roots: int | None = 2, seed: int = 0) -> PaperNetworks:
    """Both networks (InterNet alone with `roots` None) in eval mode, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    internet, rootnet = InterNet(depth), RootNet(depth, roots) if roots else None
    networks = PaperNetworks(internet, rootnet).eval()
    for part in networks.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            fan_in = part.weight[0].numel()
            part.weight.copy_(torch.randn(part.weight.shape, generator=generator) * (2 / fan_in) ** 0.5)
        elif isinstance(part, nn.ConvTranspose2d):
            part.weight.copy_(_interpolation(part.weight.shape[0], part.weight.shape[1], generator))
    heads = internet.pose_net
    for upsampling, last in ((heads.joint_deconv_1, heads.joint_conv_1), (heads.joint_deconv_2, heads.joint_conv_2)):
        _draw_blobs(internet, upsampling, last[0], generator)
    if rootnet is not None:
        features = rootnet.trunk(_probe(generator)).mean((0, 2, 3))
        rootnet.root.depth_layer.weight.copy_((features / features.square().sum())[None, :, None, None])
    return networks


def _interpolation(inputs: int, outputs: int, generator: torch.Generator) -> torch.Tensor:
    """(inputs, outputs, 4, 4): random mixtures of channels, interpolated."""
    kernel = torch.tensor(_SMOOTH)
    mix = torch.rand((inputs, outputs), generator=generator).pow(8) * 9 / inputs
    return mix[:, :, None, None] * kernel[:, None] * kernel[None, :]


def _probe(generator: torch.Generator) -> torch.Tensor:
    """Pictures of coarse patches, as unlike noise as photographs are."""
    patches = torch.rand((4, 3, 16, 16), generator=generator)
    return nn.functional.interpolate(patches, size=(PAPER.input_px, PAPER.input_px), mode="bilinear")


def _draw_blobs(internet: InterNet, upsampling: nn.Module, last: nn.Module, generator: torch.Generator) -> None:
    """Each joint: a random mixture of features across the picture times a Gaussian along depth, about 255 high."""
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    joints, bins, channels = last.weight.shape[0] // PAPER.depth_bins, PAPER.depth_bins, last.weight.shape[1]
    # Features are positive after their ReLU; so are these weights, or a map could have its maximum where it is empty.
    across = torch.rand((joints, channels), generator=generator).pow(8)
    features = internet.trunk(_probe(generator))
    upsampling.get_buffer("7.running_mean").copy_(_CUT * upsampling(features).amax((2, 3)).mean(0))
    peaks = torch.einsum("jc,bchw->bjhw", across, upsampling(features)).amax((2, 3)).mean(0)
    across *= PAPER_PEAK / peaks[:, None]
    center = 10 + 44 * torch.rand((joints, 1), generator=generator)
    along = torch.exp(-(((torch.arange(bins) - center) / PAPER_SIGMA) ** 2) / 2)
    last.weight.copy_(torch.einsum("jd,jc->jdc", along, across).reshape(-1, channels, 1, 1))
    last.bias.zero_()

"""The depth-wise convolution with its own backward pass, against torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engines.networks.depthwise import depthwise_conv2d
from engines.networks.mobile_trunk import MobileTrunk


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "side"), [(3, 1, 1, 7), (5, 1, 2, 9), (3, 2, 0, 9), (5, 2, 0, 11), (5, 2, 0, 15)]
)
def test_output_and_gradients_are_torchs(kernel: int, stride: int, padding: int, side: int) -> None:
    rng = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=rng, requires_grad=True)

    inputs = draw(2, 6, side, side), draw(6, 1, kernel, kernel), draw(6)
    theirs = F.conv2d(*inputs, stride, padding, groups=6)
    grad = torch.randn(theirs.shape, dtype=torch.float64, generator=rng)
    ours = depthwise_conv2d(*inputs, stride, padding)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(torch.autograd.grad(ours, inputs, grad), torch.autograd.grad(theirs, inputs, grad), strict=True):
        torch.testing.assert_close(a, b)


def test_the_trunk_in_training_computes_what_it_computes_in_use() -> None:
    trunk = MobileTrunk()
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    for trained, used in zip(trunk.train()(images), trunk.eval()(images), strict=True):
        torch.testing.assert_close(trained, used)

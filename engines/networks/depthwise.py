"""Depth-wise convolution whose gradient to its input is itself a depth-wise convolution.

torch's own backward of a depth-wise convolution takes ten times as long as its forward on a CPU, and two thirds of a
training step of `lite`. The gradient to the input is the correlation of the output's gradient, spread by the stride,
with the turned kernel: a forward pass again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x if weight.requires_grad else None, weight)
        ctx.shape, ctx.stride, ctx.padding = x.shape, stride, padding
        return F.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = _input_gradient(grad, weight, ctx.shape, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[1]:
            grad_weight = conv2d_weight(x, weight.shape, grad, ctx.stride, ctx.padding, groups=len(weight))
        return grad_x, grad_weight, grad.sum((0, 2, 3)), None, None


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """(B, C, H, W), (C, 1, K, K), (C,) -> (B, C, H', W'), as `torch.nn.functional.conv2d` with C groups.

    Under autocast the convolution runs in autocast's type, as torch's own does.
    """
    if torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(kind), weight.to(kind), bias.to(kind)
    return _Depthwise.apply(x, weight, bias, stride, padding)


def _input_gradient(grad: Tensor, weight: Tensor, shape: torch.Size, stride: int, padding: int) -> Tensor:
    """(B, C, H, W) from the output's gradient: spread by the stride, padded, correlated with the turned kernel."""
    batch, channels, height, width = shape
    turned, first = weight.flip((2, 3)), weight.shape[-1] - 1 - padding
    if stride == 1:
        return F.conv2d(grad, turned, padding=first, groups=channels)
    more = weight.shape[-1] - 1
    size = (batch, channels, height + more, width + more)
    spread = torch.empty(size, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last).zero_()
    rows = slice(first, first + stride * (grad.shape[2] - 1) + 1, stride)
    columns = slice(first, first + stride * (grad.shape[3] - 1) + 1, stride)
    spread[:, :, rows, columns] = grad
    return F.conv2d(spread, turned, groups=channels)

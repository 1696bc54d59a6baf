"""Batch norm whose statistics are those of the whole batch, over all processes of a run."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """As `nn.SyncBatchNorm`, which takes GPUs only: for processes on CPUs. All must have as many samples."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape, normalised over the samples of all processes."""
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1] * dist.get_world_size()
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = _sum_of_all(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _sum_of_all(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            share = self.momentum if self.momentum is not None else 0.1
            self._buffer("running_mean").lerp_(mean, share)
            self._buffer("running_var").lerp_(variance * (count / max(count - 1, 1)), share)
            self._buffer("num_batches_tracked").add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)


class _SumOfAll(torch.autograd.Function):
    """A sum over all processes; whatever any of them makes of it counts in the gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor) -> Tensor:
        del ctx
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        del ctx
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def _sum_of_all(values: Tensor) -> Tensor:
    total: Tensor = _SumOfAll.apply(values)
    return total


def synchronised(network: nn.Module, device: str) -> nn.Module:
    """The network with synchronised batch norm in place of every plain one; parameters and their names stay."""
    if torch.device(device).type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return converted
    for name, module in list(network.named_modules()):
        if type(module) is nn.BatchNorm2d:
            owner, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(owner), leaf, _converted(module))
    return network


def _converted(plain: nn.BatchNorm2d) -> SynchronisedBatchNorm:
    made = SynchronisedBatchNorm(plain.num_features, plain.eps, plain.momentum)
    made.weight, made.bias = plain.weight, plain.bias
    for name, buffer in plain.named_buffers():
        made.register_buffer(name, buffer)
    return made

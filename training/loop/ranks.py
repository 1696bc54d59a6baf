"""The processes of a run, one for each GPU: `torchrun --nproc_per_node=N [--nnodes=M ...] -m training.train ...`.

Each process draws its own part of the same global batch; gradients and logged losses are means over all of them, so
that the curve does not depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from engines.errors import UserError


class Ranks:
    """This process among those of the run; alone unless started by torchrun."""

    def __init__(self, index: int = 0, size: int = 1) -> None:
        self.index, self.size = index, size
        self._wrapped: nn.Module | None = None
        self._learning: list[bool] = []

    @property
    def first(self) -> bool:
        """Whether this process writes log and checkpoints."""
        return self.index == 0

    def rows(self) -> slice:
        """This process's part of a global batch: every size-th sample, so that each has a share of every data set."""
        return slice(self.index, None, self.size)

    def parallel(self, network: nn.Module) -> nn.Module:
        """The network as it is to be called in training: gradients become means over the processes."""
        if self.size == 1:
            return network
        learning = [parameter.requires_grad for parameter in network.parameters()]
        if self._wrapped is None or learning != self._learning:  # it is fixed which gradients are exchanged
            self._learning = learning
            self._wrapped = DistributedDataParallel(network)
        return self._wrapped

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes, which must all call this."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.size
        return values

    def any(self, flag: bool, device: str) -> bool:
        """Whether the flag is set in any of the processes, which must all call this."""
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)], device=device)
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags)


ALONE = Ranks()


def weight_of_all(weight: Tensor) -> tuple[Tensor, int]:
    """A sum of weights over all processes and their number.

    A weighted mean over the global batch is `size * own values / weights of all`, averaged over the processes.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return weight, 1
    total = weight.detach().clone()
    dist.all_reduce(total)
    return total, dist.get_world_size()


@contextmanager
def open_ranks(device: str, batch: int) -> Iterator[Ranks]:
    """Join the other processes if torchrun started this one; raises UserError if device or batch do not fit."""
    _check_device(device)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    if batch % size:
        raise UserError(f"batch: {batch} samples cannot be shared evenly among {size} processes; choose a multiple")
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # "cuda" then means this one
    dist.init_process_group("nccl" if on_gpu else "gloo")
    yield Ranks(dist.get_rank(), size)
    dist.destroy_process_group()  # not after an error: the others may still wait in an exchange; torchrun ends them


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UserError(f"device: {device!r} is unknown; choose cpu or cuda") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError("device: torch finds no GPU here; --set device=cpu trains without")

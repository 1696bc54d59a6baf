"""InterNet trained in double precision, where only the order of sums differs, by one process or by several.

In single precision, fresh weights of a thousandth leave a hundredth of some gradients to rounding. The processes have
the environment that torchrun gives, and come by fork: torch is imported once instead of in each and in torchrun.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
import torch._dynamo  # which an optimiser imports, in a second and a half: before the processes part
from torch import Tensor
from torch.multiprocessing import start_processes

from engines.networks.internet import InterNet
from tests.support.slim_networks import slim
from training.loop.batch_norm import synchronised
from training.loop.loop import train
from training.loop.ranks import open_ranks
from training.paper.internet_task import InterNetTask
from training.paper.settings import InterNetSettings
from training.paper.state import new_paper_state
from training.settings import load_any_settings


class DoubleInterNet(InterNet):
    """InterNet that computes in float64."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return super().forward(images.double())


def main(config: Path, output: Path) -> None:
    settings = load_any_settings(config, [f"output={output}"])
    assert isinstance(settings, InterNetSettings)
    torch.manual_seed(settings.seed)
    with slim():
        network = DoubleInterNet(settings.depth).double()
    with open_ranks(settings.device, settings.batch) as ranks:
        if ranks.size > 1:
            synchronised(network, settings.device)
        train(settings, new_paper_state(settings, network), InterNetTask(settings, ranks), ranks)


def ranks(config: Path, output: Path, count: int, port: int) -> None:
    """As `torchrun --nproc_per_node=count`; raises with the words of the first that fails."""
    os.environ |= {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    start_processes(_rank, (config, output), nprocs=count, start_method="fork")


def _rank(index: int, config: Path, output: Path) -> None:
    os.environ |= {"RANK": str(index), "LOCAL_RANK": str(index)}
    main(config, output)


if __name__ == "__main__":
    ranks(Path(sys.argv[1]), Path(sys.argv[2]), 2, int(sys.argv[3]))

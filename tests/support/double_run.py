"""InterNet trained in double precision, where only the order of sums differs: `torchrun tests/support/double_run.py`.

In single precision, fresh weights of a thousandth leave a hundredth of some gradients to rounding.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from engines.networks.internet import InterNet
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
    network = DoubleInterNet(settings.depth).double()
    with open_ranks(settings.device, settings.batch) as ranks:
        if ranks.size > 1:
            synchronised(network, settings.device)
        train(settings, new_paper_state(settings, network), InterNetTask(settings, ranks), ranks)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

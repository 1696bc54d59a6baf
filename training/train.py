"""Train a network: `python -m training.train [--config FILE]`. Run it again to go on where it stopped.

On several GPUs: `torchrun --nproc_per_node=N -m training.train ...`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from engines.terminal import command
from realtime.command import CommandParser
from training.command import exit_code
from training.lite.state import new_state
from training.lite.task import LiteTask, start_network
from training.loop.batch_norm import synchronised
from training.loop.loop import checkpoint_path, train
from training.loop.ranks import Ranks, open_ranks
from training.loop.run_settings import RunSettings
from training.loop.state import NetworkT, TrainingState, load_state
from training.loop.task import BatchT, Task
from training.pairs.network import PairHead
from training.pairs.task import PairTask, new_pair_state
from training.paper.internet_task import InterNetTask, start_internet
from training.paper.rootnet_task import RootNetTask, start_rootnet
from training.paper.state import new_paper_state
from training.settings import AnySettings, load_any_settings, start_override


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.train", __doc__)
    parser.add_argument("--config", type=Path, default=Path("training/configs/lite.yaml"), help="settings of the run")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change one setting, e.g. schedule.samples=1000000",
    )
    parser.add_argument("--weights", type=Path, help="start from these weights instead of what the settings say")
    arguments = parser.parse_args(argv)
    changes = [*arguments.set, *start_override(arguments.weights)]
    return exit_code(lambda: run(load_any_settings(arguments.config, changes)))


def run(settings: AnySettings) -> None:
    """Load the data, start or resume, train."""
    torch.manual_seed(settings.seed)
    with open_ranks(settings.device, settings.batch) as ranks:
        if settings.network == "lite":
            task = LiteTask(settings, ranks)
            _go(settings, new_state(settings, _ready(settings, start_network(settings), ranks)), task, ranks)
        elif settings.network == "internet":
            internet = _ready(settings, start_internet(settings), ranks)
            _go(settings, new_paper_state(settings, internet), InterNetTask(settings, ranks), ranks)
        elif settings.network == "pairs":
            pairs = _ready(settings, PairHead(), ranks)
            _go(settings, new_pair_state(settings, pairs), PairTask(settings, ranks), ranks)
        else:
            rootnet = _ready(settings, start_rootnet(settings), ranks)
            _go(settings, new_paper_state(settings, rootnet), RootNetTask(settings, ranks), ranks)


def _ready(settings: RunSettings, network: NetworkT, ranks: Ranks) -> NetworkT:
    """The network with batch norm as the settings want it on several GPUs."""
    if ranks.size > 1 and settings.synchronise_batch_norm:
        synchronised(network, settings.device)
    return network


def _go(settings: RunSettings, state: TrainingState[NetworkT], task: Task[NetworkT, BatchT], ranks: Ranks) -> None:
    """Go on from the checkpoint if there is one, and train."""
    path = checkpoint_path(settings)
    if path.exists():
        load_state(state, path)
        if ranks.first:
            print(f"going on after {state.samples} samples")
    train(settings, state, task, ranks)


if __name__ == "__main__":
    sys.exit(main())

"""The network that a run, or several of one kind, leaves: read from checkpoints or weights of `lite`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engines.errors import UserError
from engines.networks.checkpoints import load_weights
from engines.networks.lite import Lite
from engines.networks.reading import read_checkpoint


def averaged_network(path: Path) -> tuple[Lite, int]:
    """The averaged network of a checkpoint of `lite`, in eval mode, and its samples; raises UserError without one.

    Weights (`.safetensors`) are taken as they are; the run did not see their samples, which count 0.
    """
    if path.suffix == ".safetensors":
        weights = Lite()
        load_weights(weights, path)
        return weights.eval(), 0
    _check_is_there(path)
    content, network = read_checkpoint(path), Lite()
    try:
        network.load_state_dict(content["averaged"])
    except (KeyError, RuntimeError) as error:
        raise UserError(f"{path}: not a checkpoint of lite; name the last.pt of one of its runs") from error
    return network.eval(), int(content["samples"])


def _check_is_there(path: Path) -> None:
    if not path.exists():
        raise UserError(f"{path}: no checkpoint there; train first with python -m training.train")


def mean_network(paths: Sequence[Path]) -> tuple[Lite, int]:
    """The mean of several averaged networks or weights, and the samples that all runs saw; raises UserError.

    "Model soup" (Wortsman et al., ICML 2022): better than each where all began with the same trained weights.
    """
    for path in paths:
        if path.suffix != ".safetensors":  # each of the others takes a while to read, all for nothing if one is missing
            _check_is_there(path)
    found = [averaged_network(path) for path in paths]
    states = [network.state_dict() for network, _ in found]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    found[0][0].load_state_dict(mean)
    return found[0][0], sum(samples for _, samples in found)

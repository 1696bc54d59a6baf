"""Checkpoints of InterNet and RootNet become one file of preset `paper`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

from torch import nn

from engines.errors import UserError
from engines.networks.internet import InterNet
from engines.networks.paper import PaperNetworks, write_paper
from engines.networks.reading import fill, read_checkpoint, tensors_of
from engines.networks.released import load_released
from engines.networks.rootnet import RootNet
from training.loop.loop import checkpoint_path
from training.paper.settings import InterNetSettings, PaperSettings, RootNetSettings

_PLACES: Final[Any] = {
    "output": True,
    "start": True,
    "trunk": True,
    "device": True,
    "data": {"train": {"__all__": {"root"}}, "validation": {"__all__": {"root"}}},
}
"""Folders of the machine that trained, which say nothing of the weights."""


def export_paper(settings: PaperSettings, rootnet: PaperSettings | Path | None, output: Path) -> dict[str, Any]:
    """Write InterNet's averaged weights, with RootNet's if the settings of its run or its checkpoint are given.

    Returns what the side-car says; raises UserError if there is no checkpoint yet.
    """
    if not isinstance(settings, InterNetSettings):
        raise UserError(
            "a RootNet goes beside an InterNet: --config training/configs/paper_internet.yaml --rootnet "
            "training/configs/paper_rootnet.yaml"
        )
    network = InterNet(settings.depth, mean_readout=settings.pose_loss == "coordinates")
    samples = _fill(network, settings)
    second, told = (None, None) if rootnet is None else _rootnet(rootnet)
    facts = {
        "network": "InterNet" if second is None else "InterNet and RootNet",
        "samples": samples,
        "commit": commit(),
        "data": [part.dataset for part in settings.data.train],
        "settings": settings.model_dump(mode="json", exclude=_PLACES),
        "rootnet": told,
    }
    write_paper(PaperNetworks(network, second).eval(), output, facts)
    return facts


def _rootnet(made: PaperSettings | Path) -> tuple[RootNet, dict[str, Any]]:
    """RootNet of a run or of a released checkpoint, and where it is from."""
    if isinstance(made, Path):
        return load_released("rootnet", made), {"file": made.name}
    if not isinstance(made, RootNetSettings):
        raise UserError("--rootnet: these settings train another network; it takes those of rootnet")
    network = RootNet(made.depth, made.roots)
    samples = _fill(network, made)
    return network, {"samples": samples, "settings": made.model_dump(mode="json", exclude=_PLACES)}


def _fill(network: nn.Module, settings: PaperSettings) -> int:
    """Give the network the averaged weights of a run; returns the samples it has seen."""
    path = checkpoint_path(settings)
    if not path.exists():
        raise UserError(f"{path}: no checkpoint there; train first with python -m training.train")
    content = read_checkpoint(path)
    if not isinstance(content.get("averaged"), dict):
        raise UserError(f"{path}: no checkpoint of a training run")
    fill(network, tensors_of(content["averaged"], path), path, "the network of the settings")
    return int(content["samples"])


def commit() -> str:
    """The commit the code is at, with a plus where files differ from it."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"

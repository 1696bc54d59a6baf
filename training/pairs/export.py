"""The averaged head of a run, on MediaPipe's trunk, becomes the graph that ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from engines.networks.checkpoints import sidecar_path
from engines.networks.reading import read_checkpoint
from training.loop.loop import checkpoint_path
from training.loop.ranks import ALONE
from training.pairs.graph import pair_graph
from training.pairs.network import PairNet
from training.pairs.palm_weights import load_palm_weights
from training.pairs.settings import PairSettings
from training.pairs.task import PairTask
from training.paper.export import commit

_PLACES: Final[Any] = {
    "output": True,
    "device": True,
    "data": {"banks": {"__all__": {"root"}}, "backgrounds": True, "cache": True},
}
"""Folders of the machine that trained, which say nothing of the weights."""


def export_pairs(settings: PairSettings, output: Path) -> dict[str, Any]:
    """Write the graph; returns what the side-car says. Raises UserError if there is no checkpoint yet."""
    path = checkpoint_path(settings)
    if not path.exists():
        raise UserError(f"{path}: no checkpoint there; train first with python -m training.train")
    content, network = read_checkpoint(path), PairNet()
    load_palm_weights(network.trunk)
    try:
        network.head.load_state_dict(content["averaged"])
    except (KeyError, RuntimeError) as error:
        raise UserError(f"{path}: not a checkpoint of the pair detector; name one of its runs") from error
    facts = {
        "network": "pairs",
        "samples": int(content["samples"]),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "commit": commit(),
        "trunk": "MediaPipe's palm_detection_lite.tflite (Apache-2.0), unchanged",
        "data": f"rendered hands (MakeHuman/MPFB2, CC0); real hands, labelled by networks (NOTICE): "
        f"{', '.join(settings.data.real_sets())}",
        "held_out": PairTask(settings, ALONE).validate(network.head.eval()),
        "settings": settings.model_dump(mode="json", exclude=_PLACES),
    }
    try:
        output.write_bytes(pair_graph(network))
        sidecar_path(output).write_text(json.dumps(facts, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error})") from error
    return facts

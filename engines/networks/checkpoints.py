"""Files of weights: safetensors in half precision with a JSON side-car that says what made them.

Nothing here unpickles: a file is either safetensors or refused. Released checkpoints are `load_released`'s affair
(`engines.networks.released`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from engines.errors import UserError
from engines.files import in_one_step
from engines.networks.released import load_released
from engines.networks.safetensors_line import reading_safetensors

__all__ = ["load_released", "load_weights", "save_weights", "sidecar_path"]

_NAMED = 3
"""How many ill-fitting parameters an error names."""


def save_weights(network: nn.Module, path: Path | str, made_by: dict[str, Any]) -> None:
    """Write the state of `network` as half-precision safetensors, and `made_by` beside it as JSON.

    Raises UserError where they cannot be written.
    """
    path = Path(path)
    tensors = {name: _halved(value) for name, value in network.state_dict().items()}
    try:
        with in_one_step(path, alone=True) as whole:
            save_file(tensors, str(whole))
        sidecar_path(path).write_text(json.dumps(made_by, indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be written ({error})") from error


def sidecar_path(weights: Path | str) -> Path:
    """`lite.safetensors` -> `lite.json`."""
    weights = Path(weights)
    return weights.with_suffix(".json")


def load_weights(network: nn.Module, path: Path | str) -> None:
    """Fill `network` in place; raises UserError if the file is missing, damaged or made for another network.

    Parts that the network says older files may lack (`may_lack`, beginnings of names) keep what they start with.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such weights file; the shipped ones are weights/lite.safetensors")
    with reading_safetensors(path):
        tensors = load_file(str(path))
    wanted = network.state_dict()
    for part in getattr(network, "may_lack", ()):
        if not any(name.startswith(part) for name in tensors):
            wanted = {name: value for name, value in wanted.items() if not name.startswith(part)}
    wrong = [name for name in wanted if name not in tensors]
    wrong += [name for name in tensors if name not in wanted or wanted[name].shape != tensors[name].shape]
    if wrong:
        named = ", ".join(sorted(set(wrong))[:_NAMED])
        raise UserError(f"{path}: made for another network: {len(set(wrong))} parameters do not fit, first {named}")
    network.load_state_dict({name: tensors[name].to(value.dtype) for name, value in wanted.items()}, strict=False)


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    value = tensor.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() else value

"""Which second opinion goes along with a file of weights: it is asked before anything is built (no torch; any thread).

The witness (`engines.networks.witness`) goes on from the first stages of `lite`'s trunk, so it goes only with weights
that kept these stages as MediaPipe's landmark network has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from engines.presets import WITNESS_WEIGHTS, spec_of

_STAGES: Final = tuple(f"stages.{k}.{part}" for k in range(4) for part in ("expand.0", "depthwise.0", "project"))
_LAYERS: Final = ("stem.0", "stem_depthwise.0", "stem_project", *_STAGES)
"""Of the trunk, in the order in which `networks.witness.shared_parameters` has them."""


def witness_file(preset: str, weights: Path, wanted: bool = True) -> Path | None:
    """The witness's own weights, or None: the preset has none, it is not there or not `wanted`, or does not fit."""
    if not (wanted and spec_of(preset).witness and WITNESS_WEIGHTS.is_file()):
        return None
    try:
        theirs, ours = _tensors(WITNESS_WEIGHTS, ["shared"])[0], np.concatenate(_tensors(weights, _shared_names()))
    except (SafetensorError, OSError, ValueError, TypeError):  # what is wrong with them is told where they are loaded
        return None
    return WITNESS_WEIGHTS if np.array_equal(ours.astype(np.float16), theirs) else None


def _shared_names() -> list[str]:
    return [f"trunk.{layer}.{what}" for layer in _LAYERS for what in ("weight", "bias")]


def _tensors(path: Path, names: list[str]) -> list[NDArray]:
    """These tensors of a file, each (N,)."""
    with safe_open(str(path), framework="numpy") as file:
        return [file.get_tensor(name).reshape(-1) for name in names]

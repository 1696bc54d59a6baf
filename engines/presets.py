"""The presets a user can name: which network, which weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.spec import LITE, NetworkSpec

_ROOT: Final = Path(__file__).parents[1]
SPECS: Final[dict[str, NetworkSpec]] = {"lite": LITE}
SHIPPED_WEIGHTS: Final[dict[str, Path]] = {"lite": _ROOT / "weights" / "lite.safetensors"}


def spec_of(preset: str) -> NetworkSpec:
    """The spec of a preset; raises UserError for an unknown one."""
    if preset not in SPECS:
        raise UserError(f"preset {preset!r} is unknown; choose one of {', '.join(sorted(SPECS))}")
    return SPECS[preset]


def weights_of(preset: str, weights: Path | None) -> Path:
    """The weights to use: those given, else the shipped ones; raises UserError if the file is not there."""
    spec_of(preset)
    path = weights or SHIPPED_WEIGHTS[preset]
    if not path.is_file():
        raise UserError(f"{path}: no such weights file; leave the setting empty to use the shipped weights")
    return path

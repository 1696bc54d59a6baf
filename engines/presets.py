"""The presets a user can name: which network, which weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.spec import LITE, PAPER, PAPER_ARGMAX, NetworkSpec

_ROOT: Final = Path(__file__).parents[1]
_PAPER_WEIGHTS: Final = _ROOT / "weights" / "paper.safetensors"
SPECS: Final[dict[str, NetworkSpec]] = {spec.preset: spec for spec in (LITE, PAPER, PAPER_ARGMAX)}
DEFAULT_WEIGHTS: Final[dict[str, Path]] = {
    "lite": _ROOT / "weights" / "lite.safetensors",
    "paper": _PAPER_WEIGHTS,
    "paper-argmax": _PAPER_WEIGHTS,
}
"""Those of `paper` are what `python -m engines.convert` writes."""
SHIPPED: Final = frozenset({"lite"})
"""Presets whose own weights come with the program."""
WITNESS_WEIGHTS: Final = _ROOT / "weights" / "witness.safetensors"
"""MediaPipe's landmark network beyond the stages that `lite` shares with it (`python -m training.witness`)."""


def spec_of(preset: str) -> NetworkSpec:
    """The spec of a preset; raises UserError for an unknown one."""
    if preset not in SPECS:
        raise UserError(f"preset {preset!r} is unknown; choose one of {', '.join(sorted(SPECS))}")
    return SPECS[preset]


def weights_of(preset: str, weights: Path | None) -> Path:
    """The weights to use: those given, else the preset's own; raises UserError if the file is not there."""
    spec_of(preset)
    path = weights or DEFAULT_WEIGHTS[preset]
    if path.is_file():
        return path
    if preset in SHIPPED:
        raise UserError(f"{path}: no such weights file; leave the setting empty to use the shipped weights")
    raise UserError(
        f"{path}: no such weights file; preset {preset} ships none: give a released checkpoint "
        "(--weights snapshot_20.pth.tar), or convert one (python -m engines.convert)"
    )

"""What the JSON beside a file of weights says of how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engines.errors import UserError
from engines.networks.checkpoints import sidecar_path


def read_sidecar(weights: Path, why: str) -> dict[str, Any]:
    """Its facts; raises UserError, which gives the reason it is wanted, if it cannot be read or holds none."""
    path = sidecar_path(weights)
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {why}") from error
    if not isinstance(facts, dict):
        raise UserError(f"{path}: no side-car of weights; {why}")
    return facts

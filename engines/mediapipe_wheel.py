"""Networks in the installed mediapipe wheel, found without importing it (any thread).

Importing mediapipe takes matplotlib along, half a second and 60 MB; only its files are needed here.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from engines.errors import UserError


def wheel_file(name: str) -> Path:
    """Path of a file in the installed wheel; raises UserError where it is not."""
    spec = find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise UserError("mediapipe is not installed: run make setup")
    path = Path(spec.origin).parent / name
    if not path.exists():
        raise UserError(f"{path} is not in this mediapipe wheel: install mediapipe==0.10.21")
    return path

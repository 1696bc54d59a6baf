"""Names of files while they are written, and what killed processes left of them (any thread)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"\.(.+)\.\d+\.tmp(\.[^.]+)")


def unfinished(path: Path) -> Path:
    """Where this process writes what becomes `path` in one step, with the same ending; no other process does."""
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what is left of files with these names in the folder; nobody may be writing them. Raises OSError."""
    wanted = set(names)
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found is not None and found[1] + found[2] in wanted:
            path.unlink(missing_ok=True)

"""Who is correcting which moment: a file for each, so that people on one shared folder do not undo each other's work.

A lock is made in one step (it must not exist) and touched every few seconds; one that nobody has touched for a minute
is of a page that was closed, and may be taken over.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Final

from engines.errors import UserError

STALE_S: Final = 60.0


def take(folder: Path, moment: int, page: str, person: str) -> str | None:
    """Take or renew the lock for a page; None if it is ours now, else the person who has it.

    `page` tells pages apart, `person` is shown to others. Raises UserError if the folder cannot be written.
    """
    path = _path(folder, moment)
    content = json.dumps({"page": page, "person": person})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        holder = _holder(path)
        if holder is not None and holder[0] != page:
            return holder[1]
        if holder is not None:
            os.utime(path)
            return None
        return _made(path, content, page)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); check the folder") from error


def release(folder: Path, moment: int, page: str) -> None:
    """Give the lock back if it is this page's."""
    path = _path(folder, moment)
    holder = _holder(path)
    if holder is not None and holder[0] == page:
        path.unlink(missing_ok=True)


def _made(path: Path, content: str, page: str) -> str | None:
    """Make the file unless somebody was faster."""
    path.unlink(missing_ok=True)  # stale or damaged, else there would be a holder
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        holder = _holder(path)
        return None if holder is None or holder[0] == page else holder[1]
    return None


def _holder(path: Path) -> tuple[str, str] | None:
    """Page and person that hold the lock; None if nobody does any more."""
    try:
        if time.time() - path.stat().st_mtime > STALE_S:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(content["page"]), str(content["person"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(folder: Path, moment: int) -> Path:
    return folder / f"moment-{moment:06d}.lock"

"""Files: the hash of what one holds, and writing one so that it is there as a whole or not at all (any thread)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

_UNFINISHED: Final = re.compile(r"\.(.+)\.\d+\.tmp(\.[^.]+)")


def file_sha256(path: Path) -> str:
    """Hash of a file's content; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def origin(path: Path) -> dict[str, str]:
    """What a side-car says of a file that another one was made of: its name and its hash."""
    return {"file": path.name, "sha256": file_sha256(path)}


@contextmanager
def in_one_step(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """Gives the name under which to write what becomes `path` behind the `with` block; nothing of it stays otherwise.

    Missing folders are created. A block that wrote no file leaves none. It may write a folder, which replaces one of
    that name. Raises OSError. What a kill leaves has the name `unfinished`; the next write replaces it where only one
    process at a time writes the file (`alone`).
    """
    temporary = unfinished(path, alone=alone)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_dir() and path.is_dir():
            before = unfinished(path.with_name(f"before.{path.name}"), alone=alone)
            path.replace(before)
            temporary.replace(path)
            shutil.rmtree(before)
        elif temporary.exists():
            temporary.replace(path)
    finally:
        with suppress(OSError):
            _remove(temporary)


def _remove(path: Path) -> None:
    """A file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def unfinished(path: Path, *, alone: bool = False) -> Path:
    """Where this process writes what becomes `path` in one step, with the same ending; no other process does."""
    mine = "" if alone else f".{os.getpid()}"
    return path.with_name(f".{path.stem}{mine}.tmp{path.suffix}")


def is_unfinished(path: Path) -> bool:
    """Whether somebody already sees to it that the file appears in one step: the name is one of `unfinished`."""
    return _UNFINISHED.fullmatch(path.name) is not None


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed processes left of files with these names; nobody may be writing them. Raises OSError."""
    wanted = set(names)
    for path in folder.iterdir():
        found = _UNFINISHED.fullmatch(path.name)
        if found is not None and found[1] + found[2] in wanted:
            _remove(path)


def write_json(path: Path, content: Any, **how: Any) -> None:
    """Write JSON in one step, as the only writer; `how` goes to `json.dump`. Raises OSError."""
    with in_one_step(path, alone=True) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, **how)
        file.write("\n")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that may be missing later: whole or not at all, and silently not where nothing can be written."""
    with suppress(OSError), in_one_step(path) as temporary:
        temporary.write_bytes(content)

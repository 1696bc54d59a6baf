"""Files that a run writes: looked at before anything slow begins, and there as a whole or not at all (any thread)."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError

_UNFINISHED: Final = re.compile(r"\.(.+)\.\d+\.tmp(\.[^.]+)")


def check_output(option: str, path: Path, suffixes: tuple[str, ...], inputs: Iterable[Path]) -> None:
    """Raise UserError unless `path`, given with `option`, may be written.

    It must end in one of `suffixes`, be no folder, lie where files can be made, and be none of `inputs`, the files that
    the run reads.
    """
    if path.is_dir():
        raise UserError(f"{option} {path}: is a folder; name a file in it")
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path}: give a file name that ends in {' or '.join(suffixes)}")
    if any(_same(path, other) for other in inputs):
        raise UserError(f"{option} {path}: is a file that this run reads, or writes already; choose another name")
    if path.exists() and not path.is_file():
        raise UserError(f"{option} {path}: is no ordinary file; choose another name")
    existing = path if path.exists() else next(folder for folder in path.absolute().parents if folder.exists())
    if existing != path and not existing.is_dir():
        raise UserError(f"{option} {path}: {existing} is no folder; choose another place")
    if not os.access(existing, os.W_OK):
        raise UserError(f"{option} {path}: no permission to write to {existing}; choose another place")


def _same(path: Path, other: Path) -> bool:
    """Whether both are one file, also through links."""
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.resolve() == other.resolve()


@contextmanager
def in_one_step(path: Path) -> Iterator[Path]:
    """Gives the name under which to write what becomes `path` behind the `with` block; nothing of it stays otherwise.

    Missing folders are created. A block that wrote no file leaves none. It may write a folder, which replaces
    one of that name. Raises OSError.
    """
    temporary = unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_dir() and path.is_dir():
            before = unfinished(path.with_name(f"before.{path.name}"))
            path.replace(before)
            temporary.replace(path)
            shutil.rmtree(before)
        elif temporary.exists():
            temporary.replace(path)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    """A file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def unfinished(path: Path) -> Path:
    """Where this process writes what becomes `path` in one step, with the same ending; no other process does."""
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed processes left of files with these names; nobody may be writing them. Raises OSError."""
    wanted = set(names)
    for path in folder.iterdir():
        found = _UNFINISHED.fullmatch(path.name)
        if found is not None and found[1] + found[2] in wanted:
            _remove(path)


def write_json(path: Path, content: Any, **how: Any) -> None:
    """Write JSON in one step; `how` goes to `json.dump`. Missing folders are created. Raises OSError.

    What a kill leaves is `.NAME.tmp`, which the next write replaces.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file, **how)
            file.write("\n")
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise

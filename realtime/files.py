"""Files that a run is to write, looked at before anything slow begins (`engines.files` then writes them whole)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from engines.errors import UserError


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
    _check_place(option, path)


def check_folder(option: str, folder: Path) -> None:
    """Raise UserError unless files can be made in `folder`, given with `option`, which need not be there yet."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{option} {folder}: is a file; name a folder")
    _check_place(option, folder)


def _check_place(option: str, path: Path) -> None:
    """Raise UserError unless what is there of `path` may be written to."""
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

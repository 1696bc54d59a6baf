"""The part file of a run: opened, locked, taken up again after a kill, and turned into the track file (any thread)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.geometry.distortion import LENS_MODELS, MOST
from engines.geometry.pinhole import Intrinsics
from realtime.locking import OPEN, lock, read_at_start
from realtime.tracks import npz
from realtime.tracks.reader import read_part
from realtime.tracks.schema import MAX_HEADER_BYTES, PART_MAGIC, PART_SUFFIX, RECORD, Tracks

Save = Callable[[Tracks, Path], None]
"""Writes tracks in one step, as the ending of the name says; raises UserError and OSError."""
RECOVER: Final = "python -m realtime.formats"
"""The command that finishes a part."""

_log = logging.getLogger(__name__)


def open_part(part: Path) -> int:
    """Create the part, locked for this process; what an earlier run left is moved aside first."""
    flags = OPEN | os.O_CREAT
    fd = os.open(part, flags, 0o666)
    if not lock(fd):
        os.close(fd)
        raise UserError(f"{part}: another run is writing it; wait for its end or name another file")
    if os.fstat(fd).st_size == 0:
        return fd
    os.close(fd)
    aside = next(p for i in range(1, 1_000_000) if not (p := part.with_name(f"{part.name}.{i}")).exists())
    part.rename(aside)
    _log.warning("an earlier run did not end; its frames are kept in %s", aside)
    fd = os.open(part, flags | os.O_EXCL, 0o666)
    lock(fd)
    return fd


def reopen_part(part: Path, header: bytes, frames: int) -> int | None:
    """Open and lock a part that a killed run left, cut behind its first `frames` records; None if it does not fit.

    It fits if it has this head and so many undamaged records. The file is left alone if it does not.
    """
    if not part.is_file():
        return None
    fd = os.open(part, OPEN)
    head = PART_MAGIC + header
    try:
        fits = lock(fd) and read_at_start(fd, len(head)) == head and len(read_part(part)) >= frames
        if fits:
            end = len(head) + frames * RECORD.itemsize
            os.ftruncate(fd, end)
            os.lseek(fd, end, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    if not fits:
        os.close(fd)
        return None
    return fd


def header_line(intrinsics: Intrinsics, size_px: tuple[int, int], settings: str, versions: str) -> bytes:
    """The head of a part, behind its magic line."""
    for text in (settings, versions):
        json.loads(text)
    header = {
        "record_bytes": RECORD.itemsize,
        "intrinsics_px": intrinsics.as_array().tolist(),
        "distortion": [*intrinsics.distortion, *[0.0] * (MOST - len(intrinsics.distortion))],
        "lens_model": LENS_MODELS.index(intrinsics.lens_model),
        "size_px": list(size_px),
        "settings": settings,
        "versions": versions,
    }
    line = json.dumps(header).encode() + b"\n"
    if len(line) > MAX_HEADER_BYTES:
        raise ValueError("settings and versions are too long for a track file")
    return line


def recover_tracks(part: Path | str, save: Save = npz.save) -> Path:
    """Finish the part file of a run that was killed; the finished file's path.

    `out.npz.part` becomes `out.npz`, or `out.recovered.npz` (`out.recovered-2.npz`, ...) if there is one already.
    Raises UserError if the part is damaged, still being written, or the file cannot be written.
    """
    part = Path(part)
    name, found, _ = part.name.rpartition(PART_SUFFIX)
    if not found:
        raise UserError(f"{part}: not the part of an unfinished run; its name would hold '{PART_SUFFIX}'")
    target = _free_name(part.with_name(name))
    recover_part(part, target, save)
    return target


def recover_part(part: Path, target: Path, save: Save = npz.save) -> None:
    """Finish a part that nobody writes as `target`, which is replaced. Raises UserError as `recover_tracks` does."""
    try:
        fd = os.open(part, OPEN)
    except OSError as error:
        raise UserError(f"{part}: cannot be opened ({error.strerror})") from error
    try:
        if not lock(fd):
            raise UserError(f"{part}: another run is still writing it")
        finish_part(part, target, save)
    finally:
        os.close(fd)


def finish_part(part: Path, target: Path, save: Save) -> None:
    """Turn the part into the finished file and remove it. Raises UserError, and leaves the part, if it cannot."""
    try:
        save(read_part(part), target)
        part.unlink()
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror}); the frames are safe in {part}: make room, then run "
            f"{RECOVER} {part}"
        ) from error


def _free_name(path: Path) -> Path:
    if not path.exists():
        return path
    names = (f"{path.stem}.recovered{'' if i == 1 else f'-{i}'}{path.suffix}" for i in range(1, 1_000_000))
    return next(p for name in names if not (p := path.with_name(name)).exists())

"""Reads a track file, or the part of a run that was killed, and checks every byte's meaning first (any thread)."""

from __future__ import annotations

import json
import logging
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.distortion import LENS_MODELS
from engines.npz import ARCHIVE_ERRORS, ArrayArchive
from realtime.tracks.schema import (
    ADDED_FIELDS,
    FORMATS_READ,
    FRAME_FIELDS,
    MAX_HEADER_BYTES,
    OLDER_RECORDS,
    PART_MAGIC,
    PART_SUFFIX,
    RECORD,
    ROOT_DEPTH_NAMES,
    RUN_FIELDS,
    Tracks,
    rotations_of,
)

_MOST_TEXT = 4 * MAX_HEADER_BYTES

_READ = " and ".join(repr(name) for name in FORMATS_READ)

_log = logging.getLogger(__name__)


def load_tracks(path: Path | str) -> Tracks:
    """Read a finished track file or the `.part` of a run that was killed.

    Raises UserError, naming the file, if it is not there, no track file, damaged, or of another version. From a
    part file, the frames up to the first incomplete or damaged one are taken.
    """
    path = Path(path)
    part = path.with_name(path.name + PART_SUFFIX)
    if not path.is_file():
        beside = f"; a run that did not end left {part}: give that instead" if part.is_file() else ""
        raise UserError(f"{path}: no such track file{beside}")
    try:
        tracks = _load_part(path) if _starts_with(path, PART_MAGIC) else _load_npz(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if tracks.root_depth_from.size and tracks.root_depth_from.max() >= len(ROOT_DEPTH_NAMES):
        raise UserError(f"{path}: the track file is damaged (root_depth_from holds unknown codes)")
    if not (np.diff(tracks.t_s) >= 0).all():
        raise UserError(f"{path}: the track file is damaged (t_s runs back, or is no time)")
    if tracks.lens_model >= len(LENS_MODELS):
        raise UserError(f"{path}: the track file is damaged (lens_model holds an unknown code)")
    return tracks


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _load_npz(path: Path) -> Tracks:
    try:
        with ArrayArchive(path) as archive:
            if archive.text("format", _MOST_TEXT) not in FORMATS_READ:
                raise UserError(f"{path}: a track file of another version; this program reads {_READ}")
            fields: dict[str, Any] = {
                name: archive.text(name, 4 * MAX_HEADER_BYTES) for name in ("settings", "versions")
            }
            count = archive.declared("t_s")[1][0]
            for name, (dtype, shape) in FRAME_FIELDS.items():
                fields[name] = _field(archive, name, dtype, (count, *shape))
            for name, (dtype, shape) in RUN_FIELDS.items():
                fields[name] = _field(archive, name, dtype, shape)
            if "joint_rotations" not in archive:
                fields["joint_rotations"] = rotations_of(fields["joints_cam_mm"])
    except ARCHIVE_ERRORS as error:
        raise UserError(f"{path}: not a track file of this program, or damaged ({_line(error)})") from error
    return Tracks(**fields)


def _field(archive: ArrayArchive, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray:
    """One array, or what it means that an older file has none; `shape[0]` is that of an array that was read."""
    if name in ADDED_FIELDS and name not in archive:
        return np.full(shape, ADDED_FIELDS[name], dtype)
    return archive.read(name, dtype, shape)


def _load_part(path: Path) -> Tracks:
    mapped = read_part(path)
    arrays: dict[str, Any] = {name: np.ascontiguousarray(getattr(mapped, name)) for name in FRAME_FIELDS}
    return replace(mapped, **arrays)


def read_part(path: Path) -> Tracks:
    """A part file; its arrays are views of the file on the disk, and records behind a bad one are left out.

    Raises UserError if it is no part or its head is damaged, OSError if it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(PART_MAGIC)) != PART_MAGIC:
            raise UserError(f"{path}: not the part of an unfinished run")
        header_line = file.readline(MAX_HEADER_BYTES)
        start = file.tell()
    record, fields = _part_fields(path, header_line)
    records = _good_records(path, start, record)
    fields.update((name, records[name]) for name in FRAME_FIELDS if name in (record.names or ()))
    if "joint_rotations" not in fields:
        fields["joint_rotations"] = rotations_of(fields["joints_cam_mm"])
    return Tracks(**fields)


def _good_records(path: Path, start: int, record: np.dtype) -> NDArray:
    """(F,) records. Mapped, not read: those of a day-long run need not fit into memory."""
    whole = (path.stat().st_size - start) // record.itemsize
    if whole <= 0:
        return np.zeros(0, record)
    records = np.memmap(path, record, "r", start, (whole,))
    good = _count_good(records)
    if good < whole:
        _log.warning("%s: %d of %d frames are damaged and left out", path, whole - good, whole)
    return records[:good]


def _part_fields(path: Path, header_line: bytes) -> tuple[np.dtype, dict[str, Any]]:
    """The type of the part's records, and what its head says of the run."""
    try:
        header = json.loads(header_line)
        known = {record.itemsize: record for record in (RECORD, *OLDER_RECORDS)}
        if header["record_bytes"] not in known:
            raise ValueError("records of another version")
        fields: dict[str, Any] = {name: str(header[name]) for name in ("settings", "versions")}
        for name, (dtype, shape) in RUN_FIELDS.items():
            value = header[name] if name in header or name not in ADDED_FIELDS else np.full(shape, ADDED_FIELDS[name])
            fields[name] = np.array(value, dtype).reshape(shape)
    except (OverflowError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: the unfinished track file is damaged ({_line(error)})") from error
    return known[header["record_bytes"]], fields


def _count_good(records: NDArray) -> int:
    """Count the records before the first one whose checksum fails."""
    for i, record in enumerate(records):
        if zlib.crc32(record.tobytes()[:-4]) != int(record["crc32"]):
            return i
    return len(records)


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

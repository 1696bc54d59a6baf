"""The native track file: every field of `realtime.tracks.schema.Tracks` as a plain NumPy array (any thread)."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from realtime.tracks.schema import FORMAT, FRAME_FIELDS, RUN_FIELDS, Tracks
from realtime.tracks.unfinished import unfinished


def write(tracks: Tracks, path: Path) -> None:
    """Write a track file that `load_tracks` reads. Raises OSError."""
    texts = {"format": FORMAT, "settings": tracks.settings, "versions": tracks.versions}
    fields: dict[str, NDArray] = {name: np.array(text) for name, text in texts.items()}
    for name, (dtype, _) in (RUN_FIELDS | FRAME_FIELDS).items():
        fields[name] = np.asarray(getattr(tracks, name), dtype, order="C")
    _write(path, fields)


def write_arrays(path: Path, fields: Mapping[str, NDArray]) -> None:
    """Write the arrays in one step: readers see the old file or the whole new one. Raises OSError."""
    temporary = unfinished(path)
    try:
        _write(temporary, fields)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, fields: Mapping[str, NDArray]) -> None:
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in fields.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy_format.write_array(member, array, (1, 0), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())

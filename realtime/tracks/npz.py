"""The native track file: every field of `realtime.tracks.schema.Tracks` as a plain NumPy array (any thread)."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from engines.files import in_one_step
from realtime.tracks.schema import FORMAT, FRAME_FIELDS, RUN_FIELDS, Tracks


def save(tracks: Tracks, path: Path) -> None:
    """Write a track file in one step: readers see the old one or the whole new one. Raises OSError."""
    with in_one_step(path) as temporary:
        write(tracks, temporary)


def write(tracks: Tracks, path: Path) -> None:
    """Write a track file that `load_tracks` reads, array by array, also of what is mapped. Raises OSError."""
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in _arrays(tracks).items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy_format.write_array(member, array, (1, 0), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _arrays(tracks: Tracks) -> dict[str, NDArray]:
    texts = {"format": FORMAT, "settings": tracks.settings, "versions": tracks.versions}
    arrays = {name: np.array(text) for name, text in texts.items()}
    for name, (dtype, _) in (RUN_FIELDS | FRAME_FIELDS).items():
        array = np.asarray(getattr(tracks, name), dtype)
        # Rows one after the other, without a copy of the records of a part: these NumPy writes piece by piece.
        arrays[name] = np.asarray(array, order="C") if array.flags.f_contiguous else array
    return arrays

"""Arrays that take minutes to read from text, kept beside a run: valid while the files they came from are the same.

Several processes may read and write the same cache at once; each puts a whole file in place.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import in_one_step
from engines.npz import ARCHIVE_ERRORS, load_arrays

Arrays = dict[str, NDArray]
_KEY: Final = "made_of"


def cached_arrays(cache: Path, version: int, sources: Sequence[Path], read: Callable[[], Arrays]) -> Arrays:
    """What `read` makes of the source files, from the folder `cache` if it is there already, else put there.

    `version` is that of the form `read` gives. A file of the cache that is damaged, of another version or of sources
    with another size or time of change is made anew. Raises UserError if the folder cannot be written, and what
    `read` raises.
    """
    key = _key(version, sources)
    if key is None:
        return read()  # says which one is missing
    path = cache / f"{sources[0].stem}-{zlib.crc32(os.fsencode(sources[0].resolve())):08x}.npz"
    arrays = _load(path, key)
    if arrays is None:
        arrays = read()
        _save(path, {_KEY: key, **arrays})
    return arrays


def _key(version: int, sources: Sequence[Path]) -> NDArray[np.int64] | None:
    """Version, then size and time of change of each file; None if one cannot be reached."""
    try:
        stats = [path.stat() for path in sources]
    except OSError:
        return None
    return np.array([version, *(value for stat in stats for value in (stat.st_size, stat.st_mtime_ns))], np.int64)


def _load(path: Path, key: NDArray[np.int64]) -> Arrays | None:
    """The arrays, or None if they are not there, not of this key, or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
        arrays = load_arrays(path, names)
        return arrays if np.array_equal(arrays.pop(_KEY), key) else None
    except (OSError, *ARCHIVE_ERRORS):
        return None


def _save(path: Path, arrays: Arrays) -> None:
    try:
        with in_one_step(path) as whole, whole.open("wb") as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise UserError(f"{path.parent}: the labels read cannot be kept there ({error.strerror})") from error

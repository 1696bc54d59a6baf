"""Arrays out of `.npz` files that others made: nothing is unpickled, and sizes are checked first."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

MAX_BYTES: Final = 1 << 30
_MOST_COMPRESSED: Final = 1100
"""Deflate makes nothing smaller than by a factor of 1032."""

ARCHIVE_ERRORS: Final = (
    *(ValueError, KeyError, IndexError, EOFError, RuntimeError, TypeError, AttributeError, OverflowError),
    *(MemoryError, SyntaxError, tokenize.TokenError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What `zipfile` and NumPy raise for damaged archives and headers, besides OSError."""


def load_arrays(path: Path, names: Iterable[str]) -> dict[str, NDArray]:
    """The named arrays, read-only. Raises OSError, or one of ARCHIVE_ERRORS if one is missing, damaged or too large."""
    with zipfile.ZipFile(path) as archive:
        return {name: _array(archive, name) for name in names}


def _array(archive: zipfile.ZipFile, name: str) -> NDArray:
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > min(MAX_BYTES, _MOST_COMPRESSED * info.compress_size):
        raise ValueError(f"{name} is too large")
    with archive.open(info) as member:
        shape, fortran_order, dtype = _read_header(member)
        # By itself NumPy would take memory for any shape that a header declares.
        count = int(np.prod([int(n) for n in shape], dtype=object)) if shape else 1
        if dtype.hasobject or min(shape, default=0) < 0 or count * dtype.itemsize != info.file_size - member.tell():
            raise ValueError(f"{name} does not have the size it declares, or holds Python objects")
        values = np.frombuffer(member.read(), dtype, count)
        return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy_format.read_magic(member)
    if version == (1, 0):
        return npy_format.read_array_header_1_0(member)
    if version == (2, 0):
        return npy_format.read_array_header_2_0(member)
    raise ValueError(f"array format {version} is not known")

"""The one reader of `.npz` files, whoever made them: nothing is unpickled, and sizes are checked first (any thread)."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
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


class ArrayArchive:
    """`with ArrayArchive(path) as archive: archive.read("t_s")`; arrays are read-only.

    Everything here raises OSError, or one of ARCHIVE_ERRORS where an array is missing, damaged or too large.
    """

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        self._names = frozenset(self._archive.namelist())

    def __enter__(self) -> ArrayArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def __contains__(self, name: str) -> bool:
        """Whether there is an array of this name."""
        return f"{name}.npy" in self._names

    def declared(self, name: str) -> tuple[np.dtype, tuple[int, ...]]:
        """Type and shape that an array says of itself; nothing is allocated for it."""
        with self._archive.open(f"{name}.npy") as member:
            shape, _, dtype = _read_header(member)
        return dtype, shape

    def read(self, name: str, dtype: str | None = None, shape: tuple[int, ...] | None = None) -> NDArray:
        """One array; of exactly this type and shape, where they are given."""
        info = self._archive.getinfo(f"{name}.npy")
        stored = info.compress_type == zipfile.ZIP_STORED  # then no more can come out than the file has
        if not stored and info.file_size > min(MAX_BYTES, _MOST_COMPRESSED * info.compress_size):
            raise ValueError(f"{name} is too large")
        with self._archive.open(info) as member:
            found_shape, fortran_order, found = _read_header(member)
            wanted = (found if dtype is None else np.dtype(dtype), found_shape if shape is None else shape)
            if (found, found_shape) != wanted:
                raise ValueError(f"{name} is {found} {found_shape}, expected {wanted[0]} {wanted[1]}")
            # By itself NumPy would take memory for any shape that a header declares.
            count = int(np.prod([int(n) for n in found_shape], dtype=object)) if found_shape else 1
            size = info.file_size - member.tell()
            if found.hasobject or min(found_shape, default=0) < 0 or count * found.itemsize != size:
                raise ValueError(f"{name} does not have the size it declares, or holds Python objects")
            values = np.frombuffer(member.read(), found, count)
        return values.reshape(found_shape[::-1]).T if fortran_order else values.reshape(found_shape)

    def text(self, name: str, most_bytes: int) -> str:
        """A single text of no more than so many bytes as NumPy keeps it, four a character."""
        dtype, shape = self.declared(name)
        if dtype.kind != "U" or shape != () or dtype.itemsize > most_bytes:
            raise ValueError(f"{name} is no text")
        return str(self.read(name)[()])


def load_arrays(path: Path, names: Iterable[str]) -> dict[str, NDArray]:
    """The named arrays, read-only. Raises OSError, or one of ARCHIVE_ERRORS if one is missing, damaged or too large."""
    with ArrayArchive(path) as archive:
        return {name: archive.read(name) for name in names}


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy_format.read_magic(member)
    if version == (1, 0):
        return npy_format.read_array_header_1_0(member)
    if version == (2, 0):
        return npy_format.read_array_header_2_0(member)
    raise ValueError(f"array format {version} is not known")

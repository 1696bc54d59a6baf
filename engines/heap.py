"""How the C library keeps memory that was given back to it (glibc; elsewhere nothing is done; any thread).

Opening the networks takes and gives back several times what they need in the end. By itself glibc then keeps much of
it: in a heap for each of some twenty threads, and between blocks of which a few are still in use.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final

_ARENA_MAX: Final = -8
_MMAP_THRESHOLD: Final = -3
_TRIM_THRESHOLD: Final = -1
"""Of `mallopt(3)`."""
_HEAPS: Final = 2
_APART_FROM: Final = 1 << 20
"""While networks are opened, larger blocks than this go back to the system when they are freed."""
_APART_LATER_FROM: Final = 32 << 20
"""Afterwards pictures come and go 100 times a second: they are to stay in the heap. glibc's own upper limit."""


def begin_small() -> None:
    """Few heaps, large blocks apart; to be called before there are threads."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, _HEAPS)
        libc.mallopt(_MMAP_THRESHOLD, _APART_FROM)


def all_is_open() -> None:
    """Give back what opening has left free; from now on large blocks are kept for the next picture."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_MMAP_THRESHOLD, _APART_LATER_FROM)
        libc.mallopt(_TRIM_THRESHOLD, 2 * _APART_LATER_FROM)
    give_back()


def give_back() -> None:
    """Give back what opening, or a network that is no longer needed, has left free."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> Any:
    """The C library, if it is glibc: it alone has both functions."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None

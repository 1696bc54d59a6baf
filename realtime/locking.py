"""Files that one process at a time may write, on systems with and without POSIX locks (any thread).

A lock ends with the process that holds it. Windows locks bytes, also far behind the end of a file: one there keeps
nobody from reading what is in it.
"""

from __future__ import annotations

import os
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
_POSIX: Final = fcntl is not None

OPEN: Final = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""How to open such a file: for reading and writing, bytes as they are, not for child processes."""
_FAR_BYTE: Final = 1 << 40


def lock(fd: int) -> bool:
    """Take the file for this process; False if another one has it."""
    if not _POSIX:
        return _lock_byte(fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_at_start(fd: int, count: int) -> bytes:
    """The first bytes of the file; its position stays behind them."""
    os.lseek(fd, 0, os.SEEK_SET)
    return os.read(fd, count)


def write_at_start(fd: int, data: bytes) -> None:
    """Replace all that is in the file."""
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, data)


def _lock_byte(fd: int) -> bool:
    import msvcrt  # is on Windows only

    before = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        os.lseek(fd, _FAR_BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    finally:
        os.lseek(fd, before, os.SEEK_SET)
    return True

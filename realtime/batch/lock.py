"""One process at a time works on a recording: a lock file beside its tracks, for as long as the whole job takes.

The file also holds how many frames the recording has, for who shows the progress. The lock ends with the process that
holds it; a file that a killed one left means nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from engines.errors import UserError
from realtime.locking import OPEN, lock, write_at_start

_LOOK_S: Final = 0.05
_MOST_DIGITS: Final = 12


@contextmanager
def hold(path: Path, wait_s: float) -> Iterator[Callable[[int], None]]:
    """Hold the lock file; gives the function that writes a number into it, for `number_in`.

    Raises UserError if another process has it for longer than `wait_s`, OSError if it cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = _taken(path, time.monotonic() + wait_s)
    try:
        yield partial(_write, fd)
    finally:
        # Removed while it is held: who waits for it sees that the name has gone.
        path.unlink(missing_ok=True)
        os.close(fd)


def number_in(path: Path) -> int | None:
    """What the holder of the lock file wrote; None if there is nothing."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_DIGITS)
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _taken(path: Path, end_s: float) -> int:
    while True:
        fd = os.open(path, OPEN | os.O_CREAT, 0o666)
        try:
            mine = lock(fd) and _lies_at(fd, path)
        except BaseException:
            os.close(fd)
            raise
        if mine:
            return fd
        os.close(fd)
        if time.monotonic() > end_s:
            raise UserError(f"{path}: another run works on this recording; wait for its end or give another --out")
        time.sleep(_LOOK_S)


def _lies_at(fd: int, path: Path) -> bool:
    """Whether the file that was opened is still the one with this name."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _write(fd: int, number: int) -> None:
    write_at_start(fd, str(number).encode())

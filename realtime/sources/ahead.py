"""Recordings read ahead: while a frame is worked on, a thread decodes the next one (one thread iterates)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Final

from realtime.messages import Frame

_WAIT_S: Final = 0.1
"""How often the thread looks whether anybody still wants frames while none is taken."""


def read_ahead(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames in the same order; an error comes where it would have come.

    At most two frames are decoded that nobody has asked for. When the iteration is given up, the thread ends.
    """
    slot: Queue[Frame | BaseException | None] = Queue(maxsize=1)
    given_up = threading.Event()
    thread = threading.Thread(target=_read, args=(frames, slot, given_up), name="decoding", daemon=True)
    thread.start()
    try:
        while (item := slot.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        given_up.set()
        _empty(slot)
        thread.join()


def _read(frames: Iterable[Frame], slot: Queue[Frame | BaseException | None], given_up: threading.Event) -> None:
    try:
        for frame in frames:
            if not _put(slot, frame, given_up):
                return
        _put(slot, None, given_up)
    except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that iterates
        _put(slot, error, given_up)


def _put(
    slot: Queue[Frame | BaseException | None], item: Frame | BaseException | None, given_up: threading.Event
) -> bool:
    """Wait for room; False if nobody wants frames any more."""
    while not given_up.is_set():
        try:
            slot.put(item, timeout=_WAIT_S)
        except Full:
            continue
        return True
    return False


def _empty(slot: Queue[Frame | BaseException | None]) -> None:
    """Make room for a thread that waits for it."""
    with suppress(Empty):
        slot.get_nowait()

"""One slot between two threads: the newest item wins, what it overwrites is counted (any thread).

A queue would let items grow old while they wait; here the receiver always gets the newest one there is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class MailboxClosed(Exception):
    """The mailbox was closed and its last item has been taken."""


class Mailbox(Generic[T]):
    """Hand items from one thread to another without ever blocking the sender."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._slot: list[T] = []
        self._closed = False
        self._overwritten = 0

    @property
    def overwritten(self) -> int:
        """Number of items that nobody took before a newer one came."""
        with self._changed:
            return self._overwritten

    def put(self, item: T) -> None:
        """Leave an item, in place of one that still waits. After `close` it is discarded."""
        with self._changed:
            if self._closed:
                return
            self._overwritten += len(self._slot)
            self._slot = [item]
            self._changed.notify()

    def get(self, timeout_s: float | None = None) -> T:
        """Take the item, waiting for one if need be.

        Raises TimeoutError after `timeout_s` seconds, and MailboxClosed once it is closed and empty.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._slot or self._closed, timeout_s):
                raise TimeoutError
            if not self._slot:
                raise MailboxClosed
            return self._slot.pop()

    def close(self) -> None:
        """Wake everyone who waits. An item that still lies there can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Take items until it is closed."""
        while True:
            try:
                yield self.get()
            except MailboxClosed:
                return

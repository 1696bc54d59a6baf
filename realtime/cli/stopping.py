"""What ends a run from outside: Ctrl-C, a polite kill, a closed terminal (main thread only).

Until frames flow, a signal interrupts at once, as Python does it. From then on the first one only asks: the frame in
hand is finished, so that nothing written is cut in half. One that comes a second later interrupts after all.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn

from typing_extensions import Self

SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
PATIENCE_S: Final = 1.0
"""Whoever presses Ctrl-C twice in a row means the same, and must not cut off the files that are being finished."""


class StopSignals:
    """`with StopSignals() as stop:` catches the signals; `defer()` begins the polite part, `requested` tells."""

    def __init__(self) -> None:
        self.requested = False
        self._requested_s = 0.0
        self._deferred = False
        self._previous: dict[int, Any] = {}

    def defer(self) -> None:
        """From now on the first signal only sets `requested`."""
        self._deferred = True

    def __enter__(self) -> Self:
        """Install the handlers; a signal that is ignored, as under nohup, stays so."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was there; after a stop, ignore further ones: the process is ending as it was asked to."""
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_IGN if self.requested else handler)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self.requested:
            self.requested = True
            self._requested_s = time.monotonic()
            if not self._deferred:
                raise KeyboardInterrupt
        elif time.monotonic() - self._requested_s > PATIENCE_S:
            raise KeyboardInterrupt


def leave(code: int) -> NoReturn:
    """End the process, its files being closed.

    A driver may still hold one of our threads, as that of a camera that stalls. If it came back while Python ends, C++
    would abort the process; so Python's own end is then left out.
    """
    if any(thread.daemon and thread.name in ("capture", "inference") for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)

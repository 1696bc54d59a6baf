"""The process that works on recordings, one after the other (its main thread; `realtime.batch.pool` starts it)."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

from engines.errors import UserError
from realtime.batch.job import Job, Work

if TYPE_CHECKING:
    from engines.contract import Backend

_LOOK_S: Final = 0.2
"""How soon the parent's death is noticed."""
_ORPHAN_S: Final = 3.0
"""How long what is in hand may then take; a resume waits a little longer (`realtime.batch.recording`)."""


def worker_main(pipe: Connection, parent: int, work: Work) -> None:
    """Open the network once, then one job after the other, until the parent hangs up, dies, or says stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent tells when to stop
    stop = _StopFlag()
    threading.Thread(target=_end_with, args=(parent, stop), name="parent", daemon=True).start()
    import cv2

    from realtime.batch.recording import process

    cv2.setNumThreads(1)
    backend, first_words = _opened(work)
    try:
        pipe.send(first_words)
        while backend is not None and not stop.requested:
            job: Job = pipe.recv()
            pipe.send(process(job, work, backend, lambda: stop.requested))
    except (EOFError, OSError):  # the parent hung up, perhaps while the network was loading
        return


def _opened(work: Work) -> tuple[Backend | None, tuple[str, ...] | UserError]:
    """The network and what a user should read; or no network, and why."""
    from realtime.engine import backend_of

    notes: list[str] = []
    try:
        return backend_of(work.settings, notes.append), tuple(notes)
    except UserError as error:
        return None, UserError(str(error))


class _StopFlag:
    """Becomes true with SIGTERM; while the process waits for a job, that ends it."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._set)

    def _set(self, _number: int, _frame: object) -> None:
        self.requested = True


def _end_with(parent: int, stop: _StopFlag) -> None:
    """Once the parent has died, ask for a stop; what is too busy to hear of it may end anywhere, as in a kill."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    stop.requested = True
    time.sleep(_ORPHAN_S)
    os._exit(1)

"""Work that is done in a thread beside, in the order in which it was given; nothing is left out."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

_MOST_WAITING: Final = 8
"""So many pictures wait at most, 7 MB at 640x480: whoever is faster waits then."""

Job = Callable[[], None]


class InOrder:
    """`give` jobs from one thread and `finish` at the end; the first error of a job is raised in either, once.

    After an error nothing more is done, and what is given is passed over.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._failed = False
        # Daemon: an encoder that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def give(self, job: Job) -> None:
        """Have it done; waits while too many others wait."""
        self._raise()
        self._jobs.put(job)

    def finish(self) -> None:
        """Wait until all is done; a second call does nothing."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._raise()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._failed:
                continue
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that gives
                self._error, self._failed = error, True

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

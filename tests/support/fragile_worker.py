"""A process for recordings that dies while it starts: in a file of its own, as a test starts four, with few imports."""

from __future__ import annotations

import json
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from realtime.batch.job import Outcome, Work
from realtime.batch.pool import ATTEMPTS


def fragile_worker(pipe: Connection, _parent: int, work: Work) -> None:
    """Dies while it starts, unless its number is in `drawn_with`; one that is alone lets others try first."""
    folder, lives = json.loads(work.drawn_with)
    number = 0
    while True:
        try:
            (Path(folder) / str(number)).touch(exist_ok=False)
            break
        except FileExistsError:
            number += 1
    if number not in lives:
        os.kill(os.getpid(), signal.SIGKILL)
    pipe.send(())
    while True:
        try:
            job = pipe.recv()
            while lives == [0] and not (Path(folder) / str(ATTEMPTS)).exists():
                time.sleep(0.01)
            pipe.send(Outcome(job, "done"))
        except (EOFError, OSError):
            return

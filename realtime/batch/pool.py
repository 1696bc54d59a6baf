"""Recordings side by side in processes of their own (the parent's main thread).

A process, because one broken decoder or one full memory must not take the others along. Over its pipe go jobs and
outcomes only; how far a recording is, its part file tells. A process that dies is replaced and its recording taken up
again at its last checkpoint.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final

from engines.errors import UserError
from realtime.batch.job import Job, Outcome, Work
from realtime.batch.worker import worker_main

TICK_S: Final = 0.2
"""How often the caller gets to update what it shows."""
ATTEMPTS: Final = 3
"""So often a recording may take its process with it before it is given up, and starts may fail one after the other."""
_STOP_S: Final = 10.0
"""How long the processes may take to save what they have."""

_log = logging.getLogger(__name__)


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    job: Job | None = None
    ready: bool = False


@dataclass
class _Queue:
    waiting: deque[Job]
    deaths: dict[Job, int] = field(default_factory=dict)
    failed_starts: int = 0
    """Processes that ended before they were ready, since the last one that was."""

    def take_back(self, job: Job) -> Outcome | None:
        """Queue the job of a process that died once more, or give it up."""
        original = replace(job, resume=False)
        self.deaths[original] = self.deaths.get(original, 0) + 1
        if self.deaths[original] >= ATTEMPTS:
            message = f"the process that worked on it died {ATTEMPTS} times; is there enough memory?"
            return Outcome(job, "failed", message=message)
        _log.warning("%s: the process that worked on it died; it is taken up again", job.source)
        self.waiting.appendleft(replace(job, resume=True))
        return None


def pool_outcomes(
    jobs: Sequence[Job], work: Work, workers: int, should_stop: Callable[[], bool], say: Callable[[str], None]
) -> Iterator[Outcome | None]:
    """Do the jobs in `workers` processes; outcomes as they come, and None at least every 0.2 s.

    After a stop, the outcomes of what was begun, and then the end. Raises UserError if the network cannot be run,
    or no process can be started.
    """
    queue = _Queue(deque(jobs))
    team: list[_Worker] = []
    try:
        while queue.waiting or any(worker.job for worker in team):
            if should_stop():
                yield from _stopped(team)
                return
            _staff(team, queue, workers, work)
            yield None
            for worker in _spoken(team):
                outcome = _hear(worker, team, queue, say)
                if outcome is not None:
                    yield outcome
    finally:
        _dismiss(team)


def _staff(team: list[_Worker], queue: _Queue, workers: int, work: Work) -> None:
    """Give jobs to the idle; hire more once the first one has shown that the network runs (and has compiled it).

    Where several in a row could not start, perhaps for want of memory, those that run go on alone.
    """
    idle = [worker for worker in team if worker.ready and worker.job is None]
    for worker in idle[: len(queue.waiting)]:
        worker.job = queue.waiting.popleft()
        with suppress(OSError):  # it died just now; the end of its pipe is heard in the next round
            worker.pipe.send(worker.job)
    starting = sum(not worker.ready for worker in team)
    proven = any(worker.ready for worker in team)
    most = workers if proven and queue.failed_starts < ATTEMPTS else 1
    while len(team) < most and starting < len(queue.waiting):
        team.append(_hire(work))
        starting += 1


def _hire(work: Work) -> _Worker:
    # Spawned: a fork would copy locks that threads of this process hold.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker_main, args=(theirs, os.getpid(), work), name="recordings", daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _spoken(team: list[_Worker]) -> list[_Worker]:
    """Processes that have something to say, or have died."""
    found = wait([worker.pipe for worker in team], TICK_S)
    return [worker for worker in team if worker.pipe in found]


def _hear(worker: _Worker, team: list[_Worker], queue: _Queue, say: Callable[[str], None]) -> Outcome | None:
    try:
        message = worker.pipe.recv()
    except (EOFError, OSError):
        return _died(worker, team, queue)
    if isinstance(message, UserError):
        raise message
    if isinstance(message, Outcome):
        worker.job = None
        return message
    first = not any(other.ready for other in team)
    worker.ready = True
    queue.failed_starts = 0
    if first:  # the others say the same
        for line in message:
            say(line)
    return None


def _died(worker: _Worker, team: list[_Worker], queue: _Queue) -> Outcome | None:
    team.remove(worker)
    worker.pipe.close()
    worker.process.join(1.0)
    if worker.job is not None:
        return queue.take_back(worker.job)
    if not worker.ready:
        queue.failed_starts += 1
        message = f"a process for the recordings ended while it started (exit code {worker.process.exitcode})"
        if queue.failed_starts >= ATTEMPTS and not team:
            raise UserError(f"{message}, {queue.failed_starts} times; is there enough memory?")
        _log.warning("%s", message)
    return None


def _stopped(team: list[_Worker]) -> Iterator[Outcome]:
    """Ask all to stop and wait for what they have done."""
    for worker in team:
        worker.process.terminate()
    end_s = time.monotonic() + _STOP_S
    busy = [worker for worker in team if worker.job is not None]
    while busy and time.monotonic() < end_s:
        for pipe in wait([worker.pipe for worker in busy], TICK_S):
            worker = next(worker for worker in busy if worker.pipe is pipe)
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                message = Outcome(worker.job, "stopped") if worker.job else None
            if isinstance(message, Outcome):
                busy.remove(worker)
                worker.job = None
                yield message
    yield from (Outcome(worker.job, "stopped") for worker in busy if worker.job is not None)


def _dismiss(team: list[_Worker]) -> None:
    for worker in team:
        worker.pipe.close()
        worker.process.terminate()
    for worker in team:
        worker.process.join(_STOP_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()

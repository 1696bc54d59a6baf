"""One recording of many from beginning to end: its tracks and what is made from them (one thread of a process)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from engines.contract import Backend
from engines.errors import UserError
from realtime.batch.checkpoint import fingerprint
from realtime.batch.finish import Stopped, finish
from realtime.batch.job import Job, Outcome, Work
from realtime.batch.lock import hold
from realtime.batch.track import track
from realtime.files import remove_unfinished
from realtime.formats.saving import SUFFIXES

_LOCK_WAIT_S: Final = 5.0
"""The workers of a killed run notice its death within a moment; a resume waits that long for them."""

_log = logging.getLogger(__name__)


def process(job: Job, work: Work, backend: Backend, should_stop: Callable[[], bool]) -> Outcome:
    """Do all of a job; never raises for what one recording can cause: that is in the outcome.

    `should_stop` is asked after each frame and between files; what was done until then is kept for a resume.
    """
    started_s = time.monotonic()
    notes = _Notes()
    logging.getLogger().addHandler(notes)
    try:
        outcome = _process(job, work, backend, should_stop)
    except UserError as error:
        outcome = Outcome(job, "failed", message=str(error))
    except OSError as error:
        outcome = Outcome(
            job,
            "failed",
            message=f"{error.filename or job.output}: {error.strerror or error}; mend it, then --resume goes on",
        )
    except Exception as error:  # noqa: BLE001 - a fault in one recording must not stop the others; it is reported
        _log.info("%s", job.source, exc_info=True)
        outcome = Outcome(job, "failed", message=f"internal error: {type(error).__name__}: {error}")
    finally:
        logging.getLogger().removeHandler(notes)
    return replace(outcome, work_s=time.monotonic() - started_s, notes=tuple(notes.lines))


def _process(job: Job, work: Work, backend: Backend, should_stop: Callable[[], bool]) -> Outcome:
    with hold(job.lock, _LOCK_WAIT_S) as announce:
        remove_unfinished(job.output.parent, _names(job, work))
        if job.before is not None:
            outcome = replace(job.before, job=job, track_s=0.0, tracked_frames=0)
        else:
            outcome = _tracked(job, work, backend, should_stop, announce)
        try:
            return outcome if outcome.status == "stopped" else finish(outcome, work, should_stop)
        except Stopped:
            return replace(outcome, status="stopped", message="")


def _tracked(
    job: Job, work: Work, backend: Backend, should_stop: Callable[[], bool], announce: Callable[[int], None]
) -> Outcome:
    """What came of the tracking alone."""
    started_s = time.monotonic()
    identity = _identity(job.source)
    end, frames_before = track(job, work, identity, backend, should_stop, announce)
    counts = end.counts
    message = f"ends early: about {end.missing} frames are missing" if end.missing else ""
    return Outcome(
        job,
        status=("damaged" if end.missing else "done") if end.complete else "stopped",
        frames=counts.frames,
        right=counts.right,
        left=counts.left,
        both=counts.both,
        damaged=end.damaged,
        missing=end.missing,
        span_s=counts.span_s,
        track_s=time.monotonic() - started_s,
        tracked_frames=counts.frames - frames_before,
        identity=identity,
        message=message,
    )


def _names(job: Job, work: Work) -> list[str]:
    """All files that this or an earlier run may have been killed at."""
    paths = [job.output.with_suffix(suffix) for suffix in SUFFIXES]
    return [path.name for path in (*paths, job.tracked_file(work.smooth), work.video(job))]


def _identity(source: Path) -> str:
    try:
        return fingerprint(source)
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror})") from error


class _Notes(logging.Handler):
    """Collects warnings, so that they come out with the recording they belong to."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

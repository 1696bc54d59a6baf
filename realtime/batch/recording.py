"""One recording of many from beginning to end: its tracks and what is made from them (one thread of a process).

Tracking is the matter of `realtime.batch.tracking`. The smoothed tracks, other formats and the video are made here;
only for these the whole track is read into memory. Each file appears in one step; after a stop or a kill a resume makes
it again.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from engines.contract import Backend
from engines.errors import UserError
from engines.files import in_one_step, remove_unfinished
from realtime.batch.checkpoint import fingerprint
from realtime.batch.job import Counts, Job, Outcome, Work
from realtime.batch.lock import hold
from realtime.batch.tracking import open_recording, track
from realtime.formats.saving import SUFFIXES, save_as
from realtime.messages import Frame
from realtime.sources.one_view import of_one_view
from realtime.tracks.offline import smooth_offline
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import Tracks

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
        outcome = Outcome(job, "failed", message=_of_system(error, job))
    except Exception as error:  # noqa: BLE001 - a fault in one recording must not stop the others; it is reported
        _log.info("%s", job.source, exc_info=True)
        outcome = Outcome(job, "failed", message=f"internal error: {type(error).__name__}: {error}")
    finally:
        logging.getLogger().removeHandler(notes)
    return replace(outcome, work_s=time.monotonic() - started_s, notes=tuple(notes.lines))


def _of_system(error: OSError, job: Job) -> str:
    """The line for what the system did not do."""
    if error.errno == errno.ENAMETOOLONG:
        return f"{job.source}: its name is too long for the files that are made from it; rename the recording"
    return f"{error.filename or job.output}: {error.strerror or error}; mend it, then --resume goes on"


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
    message = f"ends early: about {end.missing} frames are missing" if end.missing else ""
    return Outcome(
        job,
        status=("damaged" if end.missing else "done") if end.complete else "stopped",
        counts=end.counts,
        damaged=end.damaged,
        missing=end.missing,
        track_s=time.monotonic() - started_s,
        tracked_frames=end.counts.frames - frames_before,
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


class Stopped(Exception):
    """The run was asked to stop before all files were made."""


def finish(tracked: Outcome, work: Work, should_stop: Callable[[], bool]) -> Outcome:
    """Make all files from the tracks; the outcome with what the smoothing changed in it.

    Raises Stopped once `should_stop` says so, UserError or OSError if a file cannot be written.
    """
    job = tracked.job
    if not (work.smooth or work.derived(job)):
        return tracked
    tracks, outcome = _final_tracks(tracked, work, should_stop)
    for path in work.exports(job):
        _check(should_stop)
        _save(tracks, path, job.source)
    if work.render is not None:
        _render(job, work, tracks, should_stop)
    if work.smooth:
        job.tracked_file(smooth=True).unlink(missing_ok=True)
    return outcome


def _final_tracks(tracked: Outcome, work: Work, should_stop: Callable[[], bool]) -> tuple[Tracks, Outcome]:
    """What is exported and drawn; with smoothing, made from the raw tracks unless it was before."""
    job = tracked.job
    raw = job.tracked_file(work.smooth)
    if job.before is not None or not work.smooth:
        return load_tracks(job.output), tracked
    if raw.exists():
        measured = load_tracks(raw)
        _check(should_stop)
        tracks = smooth_offline(measured, work.settings.fusion.hand_length_mm)
        _check(should_stop)
        _save(tracks, job.output)
    else:
        tracks = load_tracks(job.output)
    return tracks, replace(tracked, counts=Counts.of(tracks))


def _save(tracks: Tracks, path: Path, recording: Path | None = None) -> None:
    try:
        save_as(tracks, path, recording)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); make room, then --resume goes on") from error


def _render(job: Job, work: Work, tracks: Tracks, should_stop: Callable[[], bool]) -> None:
    """The video, under its name only when it is whole."""
    assert work.render is not None
    with (
        in_one_step(work.video(job)) as path,
        closing(open_recording(job.source, work.images_fps, mirrored=work.settings.camera.mirrored)) as source,
    ):
        work.render(tracks, _until(should_stop, source), path)


def _until(should_stop: Callable[[], bool], frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in of_one_view(frames):
        _check(should_stop)
        yield frame


def _check(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise Stopped


class _Notes(logging.Handler):
    """Collects warnings, so that they come out with the recording they belong to."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

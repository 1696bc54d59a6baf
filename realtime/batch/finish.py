"""What is made from a recording's tracks: the smoothed ones, other formats, the video (one thread).

Only for these the whole track is read into memory. Each file appears in one step; after a stop or a kill a resume makes
it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from engines.errors import UserError
from realtime.batch.counts import counts_of
from realtime.batch.job import Job, Outcome, Work
from realtime.batch.track import open_recording
from realtime.files import unfinished
from realtime.formats.saving import save_as
from realtime.messages import Frame
from realtime.tracks.offline import smooth_offline
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import Tracks


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
        _save(tracks, path)
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
    counts = counts_of(tracks)
    smoothed = replace(tracked, right=counts.right, left=counts.left, both=counts.both, filled=counts.filled)
    return tracks, smoothed


def _save(tracks: Tracks, path: Path) -> None:
    try:
        save_as(tracks, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); make room, then --resume goes on") from error


def _render(job: Job, work: Work, tracks: Tracks, should_stop: Callable[[], bool]) -> None:
    """The video, under its name only when it is whole."""
    assert work.render is not None
    path = work.video(job)
    temporary = unfinished(path)
    try:
        with closing(open_recording(job.source, work.images_fps, mirrored=work.settings.camera.mirrored)) as source:
            work.render(tracks, _until(should_stop, source), temporary)
        if temporary.exists():
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _until(should_stop: Callable[[], bool], frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        _check(should_stop)
        yield frame


def _check(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise Stopped

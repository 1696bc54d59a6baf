"""Tracks one recording of many from beginning to end, and makes its files (one thread of a process of its own).

The part file and a checkpoint every few seconds are all that is needed to go on after a kill, with the same result:
the pipeline is a function of what it remembers and of the next frame, and both are put back as they were.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from engines.backend import Backend
from engines.errors import UserError
from realtime.batch_job import Job, Outcome, Work
from realtime.checkpoint import Checkpoint, fingerprint, load_checkpoint
from realtime.formats.saving import save_as
from realtime.intrinsics import resolve_intrinsics
from realtime.live import run_recorded
from realtime.offline import smooth_offline
from realtime.pipeline import HandPipeline
from realtime.recording import ImageFolderSource, VideoSource
from realtime.tracks import ROOT_DEPTH_NAMES, Tracks, load_tracks
from realtime.tracks_part import wait_until_free
from realtime.tracks_writer import CannotGoOn, TrackWriter, recover_part
from realtime.versions import versions

CHECKPOINT_FRAMES: Final = 100
"""A kill costs at most the work on so many frames."""
_LOCK_WAIT_S: Final = 5.0
"""The workers of a killed run notice its death within a frame; a resume waits that long for them."""

_log = logging.getLogger(__name__)
Recording = VideoSource | ImageFolderSource


def process(job: Job, work: Work, backend: Backend, should_stop: Callable[[], bool]) -> Outcome:
    """Do all of a job; never raises for what one recording can cause: that is in the outcome.

    `should_stop` is asked after each frame; what was done until then is kept for a resume.
    """
    started_s = time.monotonic()
    notes = _Notes()
    logging.getLogger().addHandler(notes)
    try:
        outcome = _process(job, work, backend, should_stop)
    except UserError as error:
        outcome = Outcome(job, "failed", message=str(error))
    except OSError as error:
        outcome = Outcome(job, "failed", message=f"{error.filename or job.output}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - a fault in one recording must not stop the others; it is reported
        _log.info("%s", job.source, exc_info=True)
        outcome = Outcome(job, "failed", message=f"internal error: {type(error).__name__}: {error}")
    finally:
        logging.getLogger().removeHandler(notes)
    return replace(outcome, work_s=time.monotonic() - started_s, notes=tuple(notes.lines))


def open_recording(source: Path, images_fps: float) -> Recording:
    """A video file or a folder of pictures. Raises UserError if it is neither, or unreadable."""
    return ImageFolderSource(source, images_fps) if source.is_dir() else VideoSource(source)


def _process(job: Job, work: Work, backend: Backend, should_stop: Callable[[], bool]) -> Outcome:
    started_s = time.monotonic()
    checkpoint, tracked_frames = (None, 0) if job.tracked else _track(job, work, backend, should_stop)
    track_s = time.monotonic() - started_s
    if checkpoint is not None and not checkpoint.complete:
        return Outcome(job, "stopped", frames=checkpoint.frames, tracked_frames=tracked_frames)
    tracks = _final_tracks(job, work)
    for path in work.outputs(job)[1 : 1 + len(work.suffixes)]:
        save_as(tracks, path)
    if work.render is not None:
        _render(job, work, tracks)
    if work.smooth:
        job.tracked_file(smooth=True).unlink(missing_ok=True)
    missing = checkpoint.missing if checkpoint is not None else 0
    damaged = checkpoint.damaged if checkpoint is not None else int(tracks.dropped.sum())
    there = tracks.root_depth_from > 0
    return Outcome(
        job,
        status="damaged" if missing else "done",
        frames=len(tracks),
        right=int(there[:, 0].sum()),
        left=int(there[:, 1].sum()),
        both=int(there.all(axis=1).sum()),
        damaged=damaged,
        missing=missing,
        filled=int((tracks.root_depth_from == ROOT_DEPTH_NAMES.index("filled")).sum()),
        span_s=float(np.ptp(tracks.t_s)) if len(tracks) else 0.0,
        track_s=track_s,
        tracked_frames=tracked_frames,
        message=f"ends early: {missing} frames are missing" if missing else "",
    )


def _track(job: Job, work: Work, backend: Backend, should_stop: Callable[[], bool]) -> tuple[Checkpoint, int]:
    """Track the recording into `tracked_file`; the last checkpoint, and how many frames were tracked in this run."""
    identity = _identity(job.source)
    before = load_checkpoint(job.state) if job.resume else None
    if before is not None and before.source != identity:
        before = None
    wait_until_free(job.part(work.smooth), _LOCK_WAIT_S)
    if before is not None and before.complete and _finished(job, work):
        return before, 0
    with closing(open_recording(job.source, work.images_fps)) as source:
        intrinsics_of = partial(resolve_intrinsics, work.settings.intrinsics)
        writer, before = _open_writer(job, work, source, before)
        pipeline = HandPipeline(work.settings, backend, intrinsics_of)
        try:
            last = before or Checkpoint(identity, 0, 0)
            if before is not None:
                pipeline.restore(before.pipeline)
                source.begin_at(before.next_index, before.frames)
            end = _run(job, source, pipeline, writer, last, should_stop)
            if end.complete:
                writer.close()
        finally:
            writer.release()
            pipeline.close()
    return end, end.frames - last.frames


def _run(
    job: Job,
    source: Recording,
    pipeline: HandPipeline,
    writer: TrackWriter,
    last: Checkpoint,
    should_stop: Callable[[], bool],
) -> Checkpoint:
    """Track frame by frame, from behind the `last` checkpoint to the end or a stop; the new last checkpoint."""
    done = last
    for result in run_recorded(source, pipeline, last.next_index - 1):
        writer.append(result.hands)
        stop = should_stop()
        done = replace(done, frames=done.frames + 1, next_index=result.frame.index + 1)
        if stop or done.frames % CHECKPOINT_FRAMES == 0:
            replace(done, pipeline=pipeline.state()).save(job.state)
        if stop:
            return done
    done = replace(done, complete=True, damaged=source.dropped, missing=source.missing)
    done.save(job.state)
    return done


def _open_writer(
    job: Job, work: Work, source: Recording, before: Checkpoint | None
) -> tuple[TrackWriter, Checkpoint | None]:
    """The track file, continued behind the checkpoint where that fits, begun anew otherwise."""
    intrinsics = resolve_intrinsics(work.settings.intrinsics, source.size_px)
    texts = work.settings.model_dump_json(), json.dumps(versions())
    run = job.tracked_file(work.smooth), intrinsics, source.size_px, *texts
    if before is not None and before.pipeline is not None:
        try:
            return TrackWriter(*run, go_on_behind=before.frames), before
        except CannotGoOn as error:
            _log.warning("%s; it begins anew", error)
    job.state.unlink(missing_ok=True)
    return TrackWriter(*run), None


def _finished(job: Job, work: Work) -> bool:
    """Whether the tracked file is there; where only its last step is missing, take it."""
    part = job.part(work.smooth)
    if part.exists():
        recover_part(part, job.tracked_file(work.smooth))
    return job.tracked_file(work.smooth).exists() or job.output.exists()


def _final_tracks(job: Job, work: Work) -> Tracks:
    """What is exported and drawn; with smoothing, made from the raw tracks unless it was before."""
    raw = job.tracked_file(work.smooth)
    if not work.smooth or not raw.exists():
        return load_tracks(job.output)
    tracks = smooth_offline(load_tracks(raw), work.settings.fusion.hand_length_mm)
    save_as(tracks, job.output)
    return tracks


def _render(job: Job, work: Work, tracks: Tracks) -> None:
    """The video, under its name only when it is whole."""
    assert work.render is not None
    path = work.video(job)
    unfinished = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        with closing(open_recording(job.source, work.images_fps)) as source:
            work.render(tracks, source, unfinished)
        if unfinished.exists():
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


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

"""Tracks a recording into its track file, from where an earlier run was stopped or killed (one thread).

The part file and a checkpoint every few seconds are all that is needed to go on after a kill, with the same result:
the pipeline is a function of what it remembers and of the next frame, and both are put back as they were.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from engines.contract import Backend
from realtime.batch.checkpoint import Checkpoint, load_checkpoint
from realtime.batch.job import Job, Work
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.live import run_recorded
from realtime.pipeline import HandPipeline, PipelineState
from realtime.reports.versions import versions
from realtime.snapshot import freeze, thaw
from realtime.sources.image_folder import ImageFolderSource
from realtime.sources.one_view import of_one_view
from realtime.sources.recording import VideoSource
from realtime.tracks.part import recover_part
from realtime.tracks.writer import CannotGoOn, TrackWriter

_log = logging.getLogger(__name__)
Recording = VideoSource | ImageFolderSource


def open_recording(source: Path, images_fps: float, *, mirrored: bool = False) -> Recording:
    """A video file or a folder of pictures. Raises UserError if it is neither, or unreadable."""
    return (
        ImageFolderSource(source, images_fps, mirrored=mirrored)
        if source.is_dir()
        else VideoSource(source, mirrored=mirrored)
    )


def track(
    job: Job,
    work: Work,
    identity: str,
    backend: Backend,
    should_stop: Callable[[], bool],
    announce: Callable[[int], None],
) -> tuple[Checkpoint, int]:
    """Track the recording into `tracked_file`; the last checkpoint, and how many of its frames are of earlier runs.

    `identity` is the recording's `fingerprint`; `announce` is told about how many frames it has, where that is known.
    Raises UserError for what a recording can cause, OSError where the checkpoint cannot be written.
    """
    begin = Checkpoint(identity, work.made_with)
    before = _earlier(job, begin)
    if before is not None and before.complete and _finished(job, work):
        return before, before.counts.frames
    with closing(open_recording(job.source, work.images_fps, mirrored=work.settings.camera.mirrored)) as source:
        if source.expected_frames:
            announce(source.expected_frames)
        state = None if before is None else _remembered(before)
        writer, before = _open_writer(job, work, source, None if state is None else before)
        pipeline = HandPipeline(work.settings, backend, partial(resolve_intrinsics, work.settings.intrinsics))
        try:
            last = before or begin
            if before is not None and state is not None:
                pipeline.restore(state)
                source.begin_at(before.next_index, before.counts.frames)
            end = _run(job, source, pipeline, writer, last, should_stop, work.checkpoint_frames)
            if end.complete:
                writer.close()
        finally:
            writer.release()
            pipeline.close()
    return end, last.counts.frames


def _earlier(job: Job, begin: Checkpoint) -> Checkpoint | None:
    """The checkpoint of an earlier run, if it is to be continued and was about the same."""
    before = load_checkpoint(job.state) if job.resume else None
    if before is None or (before.source, before.made_with) == (begin.source, begin.made_with):
        return before
    changed = (
        "the recording has" if before.source != begin.source else "settings, a file that they name, or versions have"
    )
    _log.warning("%s changed since it was stopped; it begins anew", changed)
    return None


def _remembered(before: Checkpoint) -> PipelineState | None:
    """What the pipeline remembered at the checkpoint; None, with a word why, if that is of no use."""
    if before.pipeline is None:
        return None
    try:
        return thaw(PipelineState, before.pipeline)
    except ValueError as error:
        _log.warning("what was kept of the run that was stopped cannot be used (%s); it begins anew", error)
        return None


def _run(
    job: Job,
    source: Recording,
    pipeline: HandPipeline,
    writer: TrackWriter,
    last: Checkpoint,
    should_stop: Callable[[], bool],
    checkpoint_frames: int,
) -> Checkpoint:
    """Track frame by frame, from behind the `last` checkpoint to the end or a stop; the new last checkpoint."""
    done = last
    for result in of_one_view(run_recorded(source, pipeline, last.next_index - 1), _log.warning):
        writer.append(result.hands)
        stop = should_stop()
        done = replace(done, counts=done.counts.plus(result.hands), next_index=result.frame.index + 1)
        if stop or done.counts.frames % checkpoint_frames == 0:
            replace(done, pipeline=freeze(pipeline.state)).save(job.state)
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
    if before is not None:
        try:
            return TrackWriter(*run, go_on_behind=before.counts.frames), before
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

"""Which frames of several videos were taken at the same moment: by number, by time, or as a file tells (any thread)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.sources.recording import VideoSource

_RATES_DIFFER = 0.005
"""Rates that differ by more than this share drift apart by a frame within a few seconds."""

_MOST_FRAMES = 1 << 31
"""Of a video: four years at 17 a second."""


@dataclass(frozen=True, eq=False)
class VideoTimes:
    """What a video tells of itself."""

    path: Path
    t_s: NDArray[np.float64]
    """(F,) time of each frame since the first."""
    size_px: tuple[int, int]

    @property
    def step_s(self) -> float:
        """Median time between frames."""
        return float(np.median(np.diff(self.t_s))) if len(self.t_s) > 1 else 1 / 30


@dataclass(frozen=True, eq=False)
class Moments:
    """M moments of V cameras."""

    frames: NDArray[np.int64]
    """(M, V) frame numbers, -1 for none."""
    t_s: NDArray[np.float64]
    """(M,)."""


def read_times(path: Path) -> VideoTimes:
    """Time stamps of all frames of a video (decodes it once); raises UserError if it cannot be read."""
    with VideoSource(path) as source:
        stamps = [(frame.index, frame.t_capture_s) for frame in source]
        return VideoTimes(path, _by_index(stamps, source.fps or 30.0), source.size_px)


def moments_by_number(videos: Sequence[VideoTimes]) -> Moments:
    """Frame k of every video is moment k; raises UserError where counts or rates say that this cannot be."""
    counts = {video.path.name: len(video.t_s) for video in videos}
    steps = [video.step_s for video in videos]
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise UserError(f"the videos have different numbers of frames ({told}): add --timestamps or --offsets auto")
    if max(steps) > (1 + _RATES_DIFFER) * min(steps):
        rates = ", ".join(f"{video.path.name} {1 / video.step_s:.2f}" for video in videos)
        raise UserError(f"the videos have different rates ({rates} a second): add --timestamps or --offsets auto")
    numbers = np.arange(len(videos[0].t_s))
    return Moments(np.repeat(numbers[:, None], len(videos), axis=1), videos[0].t_s.copy())


def moments_by_time(videos: Sequence[VideoTimes], offsets_s: Sequence[float]) -> Moments:
    """Nearest frames in time, for every frame of the slowest video; `offsets_s` is when each video began.

    A camera without a frame within half of its own step has none. Moments with fewer than two cameras are left out.
    """
    times = [video.t_s + offset for video, offset in zip(videos, offsets_s, strict=True)]
    slowest = int(np.argmax([video.step_s for video in videos]))
    frames = np.stack([_nearest(own, times[slowest], v.step_s) for own, v in zip(times, videos, strict=True)], axis=1)
    enough = (frames >= 0).sum(axis=1) > 1
    if not enough.any():
        raise UserError("the videos have no moment in common at these offsets; check --offsets")
    return Moments(frames[enough], times[slowest][enough] - times[slowest][enough][0])


def moments_of_file(path: Path, videos: Sequence[VideoTimes], names: Sequence[str]) -> Moments:
    """From a csv with columns sync_index, cam_id (or port), frame_index, frame_time: Caliscope's, and `record`'s own.

    `cam_id` is a camera's name, its name without `cam_`, or its number. Frame numbers may start anywhere: the lowest
    of a camera is its video's first frame. Raises UserError for a camera or frame that is not there.
    """
    rows = _rows(path)
    if not rows:
        raise UserError(f"{path}: names no frame; it needs a row for each frame of each camera")
    wrong = next((row for row in rows if not (0 <= row[2] < _MOST_FRAMES and np.isfinite(row[3]))), None)
    if wrong is not None:
        where = f"frame {wrong[2]} of camera {wrong[1]} at {wrong[3]:g} s"
        raise UserError(f"{path}: {where} cannot be; mend or remove the row")
    views = _views(path, {row[1] for row in rows}, names)
    moments = sorted({row[0] for row in rows})
    row_of = {moment: k for k, moment in enumerate(moments)}
    frames = np.full((len(moments), len(names)), -1, np.int64)
    times = np.full(frames.shape, np.nan)
    for moment, camera, frame, t_s in rows:
        frames[row_of[moment], views[camera]] = frame
        times[row_of[moment], views[camera]] = t_s
    for view, video in enumerate(videos):
        there = frames[:, view] >= 0
        if there.any() and frames[:, view].max() >= len(video.t_s):
            frames[there, view] -= frames[there, view].min()
        if there.any() and frames[:, view].max() >= len(video.t_s):
            raise UserError(
                f"{path}: speaks of frame {frames[:, view].max()} of camera {names[view]}, whose video "
                f"{video.path.name} has {len(video.t_s)}; they do not belong together"
            )
    t_s = np.nanmedian(times, axis=1)
    back = np.flatnonzero(np.diff(t_s) <= 0)
    if len(back):
        at = int(back[0])
        earlier, later = (f"moment {moments[k]} is at {t_s[k]:g} s" for k in (at, at + 1))
        raise UserError(f"{path}: {earlier}, {later}: times must grow; mend or remove the rows")
    return Moments(frames, t_s - t_s[0])


def _rows(path: Path) -> list[tuple[int, str, int, float]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a mark at the front
            found = list(csv.DictReader(file))
        camera = "cam_id" if found and "cam_id" in found[0] else "port"
        return [
            (int(r["sync_index"]), r[camera].strip(), int(r["frame_index"]), float(r["frame_time"]))
            for r in found
            if r["frame_index"] not in ("", None)
        ]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
        raise UserError(f"{path}: needs columns sync_index, cam_id, frame_index, frame_time ({error})") from error


def _views(path: Path, cameras: set[str], names: Sequence[str]) -> Mapping[str, int]:
    known = {name.removeprefix("cam_"): k for k, name in enumerate(names)} | {name: k for k, name in enumerate(names)}
    unknown = sorted(camera for camera in cameras if camera not in known)
    if unknown:
        raise UserError(f"{path}: speaks of camera {unknown[0]}, which is not calibrated; there are {', '.join(names)}")
    return known


def _nearest(own_s: NDArray, wanted_s: NDArray, step_s: float) -> NDArray[np.int64]:
    """The frame nearest to each wanted time, -1 where none is within half a step."""
    after = np.clip(np.searchsorted(own_s, wanted_s), 1, max(len(own_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(own_s) - 1)
    nearer = np.where(np.abs(own_s[after] - wanted_s) < np.abs(own_s[before] - wanted_s), after, before)
    return np.where(np.abs(own_s[nearer] - wanted_s) <= 0.5 * step_s + 1e-9, nearer, -1)


def _by_index(stamps: Sequence[tuple[int, float]], fps: float) -> NDArray[np.float64]:
    """Times of frames 0 .. last; a frame that could not be decoded gets the time it should have had."""
    count = max(index for index, _ in stamps) + 1
    times = np.full(count, np.nan)
    for index, t_s in stamps:
        times[index] = t_s
    known = np.flatnonzero(np.isfinite(times))
    return np.interp(np.arange(count), known, times[known]) if len(known) > 1 else np.arange(count) / fps

"""Videos and cameras that others recorded, put together as a recording (any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engines.errors import UserError
from training.annotation.cameras.files import load_cameras
from training.annotation.recordings.moments import (
    Moments,
    VideoTimes,
    moments_by_number,
    moments_by_time,
    moments_of_file,
    read_times,
)
from training.annotation.recordings.offsets import estimate_offsets, offset_words
from training.annotation.recordings.recording import Recording, check_picture_size


def gather(
    folder: Path,
    cameras: Path,
    videos: Sequence[Path],
    unit: str | None,
    timestamps: Path | None,
    offsets: Sequence[str],
) -> Recording:
    """Make and save the recording; raises UserError naming what does not fit together.

    Videos are in the order of the file of cameras, or named as them. `offsets` are the seconds at which each video
    began, or `auto`, which estimates them from what moves.
    """
    if len(videos) < 2:
        raise UserError("one view only: it takes the videos of two cameras or more to place a joint in space")
    times = [read_times(video) for video in videos]
    rig = load_cameras(cameras, unit, [video.size_px for video in times])
    lenses = len(rig)
    if len(videos) < lenses:  # those of some cameras only, called as these are
        rig = tuple(camera for camera in rig if camera.name in {video.path.stem for video in times})
    if len(videos) != len(rig):
        few = "" if len(videos) > lenses else "; a part of them goes by itself if the files are called as the cameras"
        raise UserError(f"{len(videos)} videos, but {cameras} holds {lenses} cameras: name one for each{few}")
    twice = sorted({str(video) for video in videos if list(videos).count(video) > 1})
    if twice:
        raise UserError(f"--videos names {', '.join(twice)} twice; each camera has a video of its own")
    times = _ordered(times, [camera.name for camera in rig])
    for camera, video in zip(rig, times, strict=True):
        check_picture_size(camera.name, camera.size_px, video.size_px)
    names = [camera.name for camera in rig]
    moments = moments_of(times, names, timestamps, offsets)
    recording = Recording(folder, rig, tuple(video.path for video in times), moments.frames, moments.t_s)
    recording.save()
    return recording


def moments_of(
    times: Sequence[VideoTimes], names: Sequence[str], timestamps: Path | None, offsets: Sequence[str]
) -> Moments:
    """Which frames belong together, by whatever was given; raises UserError."""
    if timestamps is not None:
        return moments_of_file(timestamps, times, names)
    if not offsets:
        return moments_by_number(times)
    if list(offsets) == ["auto"]:
        found = estimate_offsets(times)
        print("\n".join(offset_words(found, names)))
        return moments_by_time(times, found.offsets_s)
    try:
        values = [float(value) for value in offsets]
    except ValueError as error:
        raise UserError(f"--offsets {' '.join(offsets)}: seconds for each camera, or auto") from error
    if len(values) != len(times):
        raise UserError(f"--offsets: {len(values)} numbers for {len(times)} videos; give one for each")
    return moments_by_time(times, values)


def _ordered(videos: Sequence[VideoTimes], names: Sequence[str]) -> list[VideoTimes]:
    """Videos called as the cameras go to them, whatever the order; else as they come."""
    by_name = {video.path.stem: video for video in videos}
    return [by_name[name] for name in names] if set(names) <= set(by_name) else list(videos)

"""The picture that belongs to each frame of a track file (one thread at a time)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.sources.pictures import turned_back
from realtime.sources.recording import VideoSource
from realtime.tracks.recorded_from import check_recording
from realtime.tracks.schema import Tracks
from viz.video.video_reader import VideoReader


class Pictures:
    """The recording's picture for each frame of a track file; black if there is no recording.

    Raises UserError if it cannot be read, or is not the one that was tracked.
    """

    def __init__(self, tracks: Tracks, path: Path | None) -> None:
        width, height = (int(v) for v in tracks.size_px)
        self._black = np.zeros((height, width, 3), np.uint8)
        self._video = _opened(tracks, path) if path is not None else None
        self._mirrored = tracks.mirrored
        self._t_s = tracks.t_s
        self._start_s = _start_s(tracks, path) if path is not None else 0.0

    @property
    def given(self) -> bool:
        """Whether there is a recording."""
        return self._video is not None

    def of(self, i: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR for frame i."""
        if self._video is None:
            return self._black
        picture = self._video.at(float(self._t_s[i]) - self._start_s)
        return turned_back(picture) if self._mirrored else picture

    def close(self) -> None:
        """Close the recording."""
        if self._video is not None:
            self._video.close()


def _opened(tracks: Tracks, path: Path) -> VideoReader:
    video = VideoReader(path)
    try:
        check_recording(tracks, path, video.size_px, video.duration_s)
    except BaseException:
        video.close()
        raise
    return video


def _start_s(tracks: Tracks, path: Path) -> float:
    """When the recording starts on the track's clock; a live run's starts anywhere, and its first frames may lack.

    So the first frame that was tracked is looked for by its number, counted as in tracking.
    """
    first, last = int(tracks.frame_index[0]), int(tracks.frame_index[-1])
    own_s = 0.0
    if first > 0:
        with VideoSource(path) as video:
            # A video with fewer frames is a result of the run, such as its overlay: it starts with the first of them.
            whole = video.frame_count is None or video.frame_count > last
            video.begin_at(first, first)
            own_s = next((frame.t_capture_s for frame in video), 0.0) if whole else 0.0
    return float(tracks.t_s[0]) - own_s

"""Pictures of a recording by their time, forwards and backwards (one thread at a time)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.video_file import open_container, quarter_turns, video_stream

_TOLERANCE_S: Final = 0.001
_FAR_S: Final = 5.0
"""A picture so far ahead is looked for from its key picture, not through all between."""


class VideoReader:
    """`with VideoReader(path) as video: video.at(t_s)`; time counts from the first picture.

    Raises UserError, naming the file, if it is not there or holds no video.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._container = open_container(self._path)
        try:
            self._stream = video_stream(self._container, str(self._path))
            self._frames = self._decode()
            self._now = next(self._frames)
        except (UserError, av.FFmpegError, StopIteration) as error:
            self._container.close()
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self._path}: holds no video that can be read; give the clip that was tracked") from error
        self._first_s = self._now.time or 0.0
        self._next: av.VideoFrame | None = None

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def duration_s(self) -> float:
        """Length by the file's header, 0 if it has none."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return float(self._container.duration or 0) / av.time_base

    def at(self, t_s: float) -> NDArray[np.uint8]:
        """The picture (H, W, 3) uint8 BGR shown at `t_s` seconds; before the first and after the last, those."""
        if not -_TOLERANCE_S <= t_s - self._time(self._now) <= _FAR_S:
            self._rewind(t_s)
        while (upcoming := self._peek()) is not None and self._time(upcoming) <= t_s + _TOLERANCE_S:
            self._now, self._next = upcoming, None
        upright = np.rot90(self._now.to_ndarray(format="bgr24"), quarter_turns(self._now))
        return np.ascontiguousarray(upright, np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _time(self, frame: av.VideoFrame) -> float:
        return (frame.time or 0.0) - self._first_s

    def _peek(self) -> av.VideoFrame | None:
        """The picture after the one now; None at the end or where the file is broken off."""
        if self._next is None:
            self._next = next(self._frames, None)
        return self._next

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield the pictures that are whole, up to the end or where the file is broken off."""
        try:
            for packet in self._container.demux(self._stream):
                with contextlib.suppress(av.FFmpegError):
                    yield from (frame for frame in packet.decode() if isinstance(frame, av.VideoFrame))
        except av.FFmpegError:
            return

    def _rewind(self, t_s: float) -> None:
        """Go to the key picture at or before `t_s`."""
        target = max(t_s, 0.0) + self._first_s
        time_base = self._stream.time_base or 1
        self._container.seek(int(target / time_base), stream=self._stream, backward=True)
        self._frames = self._decode()
        self._now, self._next = next(self._frames, self._now), None

"""Pictures of a recording by their time, forwards and backwards (one thread at a time)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.sources.recording_end import USUAL_FPS
from realtime.sources.video_file import open_container, quarter_turns, video_stream

_TOLERANCE_S: Final = 0.001
_FAR_S: Final = 5.0
"""A picture so far ahead is looked for from its key picture, not through all between."""
_BACK_S: Final = 2.0
"""So much further back is sought when a seek went too far; then twice as much each time."""


class _Picture(NamedTuple):
    t_s: float
    """By the file's own clock."""
    frame: av.VideoFrame


class VideoReader:
    """`with VideoReader(path) as video: video.at(t_s)`; time counts from the first picture.

    Raises UserError, naming the file, if it is not there or holds no video.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._now: _Picture
        self._next: _Picture | None = None
        self._open()
        self._first_s = self._now.t_s
        # Without time stamps there is nothing to seek by, and a program stream's are guessed behind a seek.
        self._seeks = self._now.frame.time is not None and self._container.format.name != "mpeg"

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
        wanted_s = max(t_s, 0.0) + self._first_s
        ahead_s = wanted_s - self._now.t_s
        if ahead_s < -_TOLERANCE_S or (self._seeks and ahead_s > _FAR_S):
            self._rewind(wanted_s)
        while (upcoming := self._peek()) is not None and upcoming.t_s <= wanted_s + _TOLERANCE_S:
            self._now, self._next = upcoming, None
        frame = self._now.frame
        return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="bgr24"), quarter_turns(frame)), np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _open(self) -> None:
        """Open the file and take its first picture."""
        self._container = open_container(self._path)
        try:
            self._stream = video_stream(self._container, str(self._path))
            self._step_s = 1 / float(self._stream.average_rate or USUAL_FPS)
            self._frames = self._timed(-self._step_s)
            self._now = next(self._frames)
        except (UserError, av.FFmpegError, StopIteration) as error:
            self._container.close()
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self._path}: holds no video that can be read; give the clip that was tracked") from error
        self._next = None

    def _peek(self) -> _Picture | None:
        """The picture after the one now; None at the end or where the file is broken off."""
        if self._next is None:
            self._next = next(self._frames, None)
        return self._next

    def _timed(self, before_s: float) -> Iterator[_Picture]:
        """Yield the pictures to come; one without a time stamp follows the one before at the video's rate."""
        for frame in self._decode():
            before_s = frame.time if frame.time is not None else before_s + self._step_s
            yield _Picture(before_s, frame)

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield the pictures that are whole, up to the end or where the file is broken off."""
        try:
            for packet in self._container.demux(self._stream):
                with contextlib.suppress(av.FFmpegError):
                    yield from (frame for frame in packet.decode() if isinstance(frame, av.VideoFrame))
        except av.FFmpegError:
            return

    def _rewind(self, wanted_s: float) -> None:
        """Go to a picture at or before `wanted_s`, near it if the format can.

        Some formats, as MPEG-TS, seek to any packet: the first picture that can be decoded from there lies behind it.
        """
        from_s = min(wanted_s, self._first_s + (self.duration_s or wanted_s))
        back_s = 0.0
        while self._seeks and from_s - back_s > self._first_s:
            landed = self._seek(from_s - back_s)
            if landed is not None and landed.t_s <= wanted_s + _TOLERANCE_S:
                self._now, self._next = landed, None
                return
            back_s = max(_BACK_S, 2 * back_s)
        self._container.close()
        self._open()

    def _seek(self, t_s: float) -> _Picture | None:
        """The first picture that is decoded from the packet at or before `t_s`; None if there is none."""
        try:
            self._container.seek(int(t_s / (self._stream.time_base or 1)), stream=self._stream, backward=True)
        except av.FFmpegError:
            return None
        # Infinity: without a time stamp nobody knows where this is.
        self._frames = self._timed(math.inf)
        return next(self._frames, None)

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
from realtime.sources.frame_times import FrameTimes
from realtime.sources.recording_end import USUAL_FPS
from realtime.sources.shown_picture import PixelAspect, ShownPictures
from realtime.sources.video_file import open_container, video_stream

_TOLERANCE_S: Final = 0.001
_FAR_S: Final = 5.0
"""A picture so far ahead is looked for from its key picture, not through all between."""
_BACK_S: Final = 2.0
"""So much further back is sought when a seek went too far; then twice as much each time."""
_REORDERED: Final = 17
"""Pictures are decoded at most so many places before they are shown (H.264 and H.265: 16)."""


class _Picture(NamedTuple):
    t_s: float
    """As `VideoSource` counts it, from the first picture."""
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
        self._first_s = self._now.frame.time
        self._seeks: bool | None = None
        """Whether pictures can be found by their stamps; None: not looked yet."""

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of every picture."""
        return self._shown.size_px

    @property
    def duration_s(self) -> float:
        """Length by the file's header, 0 if it has none."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return float(self._container.duration or 0) / av.time_base

    def at(self, t_s: float) -> NDArray[np.uint8]:
        """The picture (H, W, 3) uint8 BGR shown at `t_s` seconds; before the first and after the last, those."""
        wanted_s = max(t_s, 0.0)
        ahead_s = wanted_s - self._now.t_s
        if ahead_s < -_TOLERANCE_S or (ahead_s > _FAR_S and self._can_seek()):
            self._rewind(wanted_s)
        while (upcoming := self._peek()) is not None and upcoming.t_s <= wanted_s + _TOLERANCE_S:
            self._now, self._next = upcoming, None
        return self._shown.image(self._now.frame)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _open(self) -> None:
        """Open the file and take its first picture."""
        self._container = open_container(self._path)
        try:
            self._stream = video_stream(self._container, str(self._path))
            self._step_s = 1 / float(self._stream.average_rate or USUAL_FPS)
            self._frames = self._timed()
            aspect = PixelAspect(str(self._path), self._stream)
            self._now = next(self._frames)
            self._shown = ShownPictures(str(self._path), aspect, self._now.frame)
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

    def _timed(self) -> Iterator[_Picture]:
        """Yield the pictures from the first one on."""
        numbered = enumerate(self._decode())
        for (_, frame), t_s in FrameTimes(numbered, lambda each: each[1].time, lambda each: each[0], self._step_s):
            yield _Picture(t_s, frame)

    def _stamped(self, first_s: float) -> Iterator[_Picture]:
        """Yield the pictures behind a seek by their stamps alone; one without might be anywhere."""
        for frame in self._decode():
            yield _Picture(frame.time - first_s if frame.time is not None else math.inf, frame)

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
        from_s = min(wanted_s, self.duration_s or wanted_s)
        back_s = 0.0
        while self._first_s is not None and from_s > back_s and self._can_seek():
            landed = self._seek(self._first_s, from_s - back_s)
            if landed is not None and landed.t_s <= wanted_s + _TOLERANCE_S:
                self._now, self._next = landed, None
                return
            back_s = max(_BACK_S, 2 * back_s)
        self._container.close()
        self._open()

    def _seek(self, first_s: float, t_s: float) -> _Picture | None:
        """The first picture that is decoded from the packet at or before `t_s`; None if there is none."""
        stamp = int((first_s + t_s) / (self._stream.time_base or 1))
        try:
            self._container.seek(stamp, stream=self._stream, backward=True)
        except av.FFmpegError:
            return None
        self._frames = self._stamped(first_s)
        return next(self._frames, None)

    def _can_seek(self) -> bool:
        """Whether stamps find pictures: where there are some, and all of them advance, as `FrameTimes` leaves them."""
        if self._seeks is None:
            # A program stream's are guessed behind a seek.
            self._seeks = self._first_s is not None and self._container.format.name != "mpeg" and self._in_order()
        return self._seeks

    def _in_order(self) -> bool:
        """Whether no packet's stamp lies behind that of a much later one; reads the file once, decodes nothing."""
        if 0 < self._stream.frames == len(self._stream.index_entries):
            return True  # the whole list of an MP4, whose times only go up
        with open_container(self._path) as container, contextlib.suppress(av.FFmpegError):
            stamps = [p.pts for p in container.demux(video_stream(container, str(self._path))) if p.pts is not None]
            latest = np.maximum.accumulate(np.array(stamps, np.int64))
            return bool((latest[:-_REORDERED] <= np.array(stamps, np.int64)[_REORDERED:]).all())
        return False

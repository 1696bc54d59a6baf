"""Videos: every frame, in order, with its true time stamp (one thread iterates, any may close).

A frame that cannot be decoded is skipped and counted; `Frame.index` then has a gap. A recording is read once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.messages import Frame
from realtime.sources.frame_times import FrameTimes
from realtime.sources.one_view import AnotherView
from realtime.sources.pictures import MAX_PIXELS, turned_back
from realtime.sources.recorded import Recorded
from realtime.sources.recording_end import USUAL_FPS, EndOfVideo
from realtime.sources.shown_picture import PixelAspect, ShownPictures
from realtime.sources.video_file import open_container, video_stream

MAX_BAD_READS: Final = 3
"""So many failures to read on, one after the other, are the end of a damaged file."""

_log = logging.getLogger(__name__)


class VideoSource(Recorded):
    """A video file (or GIF, or a single picture), turned upright as its metadata say, as BGR uint8.

    Raises UserError if there is no such file, it is no video, too large, or not one of its frames can be decoded.
    Pixels are square and frames all of one size (`ShownPictures`); times advance (`FrameTimes`). A `mirrored` one is
    turned back.
    """

    def __init__(self, path: Path | str, *, mirrored: bool = False) -> None:
        """Open the file and decode its first frame."""
        path = Path(path)
        self.name = str(path)
        self._mirrored = mirrored
        self._container = open_container(path)
        self._numbered: Generator[tuple[int, VideoFrame]] | None = None
        # FFmpeg crashes if a file is closed while another thread reads it.
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._stream = video_stream(self._container, self.name)
            self._stream.thread_type = "AUTO"  # also several frames at a time; they come in order
            self.fps = float(self._stream.average_rate) if self._stream.average_rate else None
            self._end = EndOfVideo(self._container, self._stream)
            self.frame_count = self._end.frames
            self._delivered = 0
            aspect = PixelAspect(self.name, self._stream)
            self._numbered = self._decode()
            self._first = self._next()
            if self._first is None:
                limit = f"larger than {MAX_PIXELS // 10**6} million pixels"
                raise UserError(f"{path}: not one frame could be decoded; it is damaged, no video, or {limit}")
            self._shown = ShownPictures(self.name, aspect, self._first[1])
            self.size_px = self._shown.size_px
        except BaseException:
            self.close()
            raise

    @property
    def expected_frames(self) -> int | None:
        """About how many frames there will be, for a progress bar."""
        return self._end.expected_frames

    def __iter__(self) -> Iterator[Frame]:
        """Decode frame by frame; a file that ends early ends here too, with a warning."""
        first, self._first = self._first, None
        if first is None or self._closed:
            return
        frames = chain([first], iter(self._next, None))
        step_s = 1 / (self.fps or USUAL_FPS)
        times = FrameTimes(frames, lambda each: each[1].time, lambda each: each[0], step_s)
        for (index, decoded), t_s in times:
            self._end.frame(t_s)
            self._delivered += 1
            if index >= self.first_index:
                image = self._image(decoded)
                yield Frame(index, t_s, turned_back(image) if self._mirrored else image)
        if not self._closed:
            self._report()

    def close(self) -> None:
        """Release the file, from any thread; the iteration ends. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if self._numbered is not None:
                    self._numbered.close()
                self._container.close()

    def _image(self, decoded: VideoFrame) -> NDArray[np.uint8]:
        """The picture (H, W, 3) as it is shown; where another view begins, the rest counts as missing."""
        try:
            return self._shown.image(decoded)
        except AnotherView:
            seen = self._delivered - 1 + self.dropped
            self.missing = max((self._end.expected_frames or 0) - seen, 1)
            raise

    def _next(self) -> tuple[int, VideoFrame] | None:
        with self._lock:
            return None if self._closed or self._numbered is None else next(self._numbered, None)

    def _decode(self) -> Generator[tuple[int, VideoFrame]]:
        """Yield the frames that are whole with their numbers; count the others."""
        whole = 0
        for packet in self._packets():
            try:
                frames = packet.decode()
            except FFmpegError:
                self.dropped += 1
                continue
            for frame in frames:
                if not isinstance(frame, VideoFrame) or frame.is_corrupt:
                    self.dropped += 1
                else:
                    yield whole + self.dropped, frame
                    whole += 1

    def _packets(self) -> Iterator[av.Packet]:
        """Yield the packets, reading on behind damage where that is possible."""
        bad_reads = 0
        while bad_reads < MAX_BAD_READS:
            try:
                for packet in self._container.demux(self._stream):
                    bad_reads = 0
                    self._end.packet(packet)
                    yield packet
                return
            except FFmpegError:
                bad_reads += 1

    def _report(self) -> None:
        seen = self._delivered + self.dropped
        if self.dropped:
            _log.warning("%s: %d of %d frames are damaged and were skipped", self.name, self.dropped, seen)
        self.missing = self._end.missing(seen)
        if self.missing:
            _log.warning("%s: the video ends early, after %d of about %d frames", self.name, seen, seen + self.missing)

"""Recordings: every frame, in order, with its true time stamp (one thread iterates, any may close).

A frame that cannot be decoded is skipped and counted; `Frame.index` then has a gap. A recording is read once.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from typing_extensions import Self

from engines.errors import UserError
from realtime.messages import Frame
from realtime.pictures import MAX_PIXELS, UnreadablePicture, check_size, picture_size, read_picture
from realtime.recording_end import USUAL_FPS, EndOfVideo
from realtime.video_file import open_container, quarter_turns, video_stream

PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MAX_BAD_READS: Final = 3
"""So many failures to read on, one after the other, are the end of a damaged file."""

_log = logging.getLogger(__name__)


class _Recording:
    """What recordings have in common."""

    is_live: Final = False
    name: str
    size_px: tuple[int, int]
    """(width, height) of every frame, as displayed."""
    fps: float | None
    frame_count: int | None
    """As announced by the file, where it counts them; what is really there may differ."""
    dropped: int = 0
    """Frames that could not be decoded, so far."""
    missing: int = 0
    """About how many frames the file announced and did not have at its end; known when the iteration has ended."""
    _begin: int = 0
    _whole_before: int = 0

    @property
    def expected_frames(self) -> int | None:
        """About how many frames there will be, for a progress bar."""
        return self.frame_count

    @property
    def damaged(self) -> int:
        """The same as `dropped`: nothing else is lost of a recording."""
        return self.dropped

    def begin_at(self, index: int, whole: int) -> None:
        """Start the iteration at frame `index`, before which lie `whole` undamaged ones; all else stays the same."""
        self._begin, self._whole_before = index, whole

    def close(self) -> None:
        """Release the file."""

    def __enter__(self) -> Self:
        """Return the source itself; it is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the file."""
        self.close()


class VideoSource(_Recording):
    """A video file (or GIF, or a single picture), turned upright as its metadata say, as BGR uint8.

    Raises UserError if there is no such file, it is no video, too large, or not one of its frames can be decoded.
    Frames of another size than the first one are scaled to it.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and decode its first frame."""
        self.name = str(path)
        self._container = open_container(path)
        self._decoded: Generator[VideoFrame] | None = None
        # FFmpeg crashes if a file is closed while another thread reads it.
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._stream = video_stream(self._container, self.name)
            self.fps = float(self._stream.average_rate) if self._stream.average_rate else None
            self._end = EndOfVideo(self._container, self._stream)
            self.frame_count = self._end.frames
            self._last_s = 0.0
            self._delivered = 0
            self._decoded = self._decode()
            self._first = self._next()
            if self._first is None:
                limit = f"larger than {MAX_PIXELS // 10**6} million pixels"
                raise UserError(f"{path}: not one frame could be decoded; it is damaged, no video, or {limit}")
            self._raw_px = self._first.width, self._first.height
            check_size(self.name, self._raw_px)
            self.size_px = self._raw_px if quarter_turns(self._first) % 2 == 0 else self._raw_px[::-1]
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
        start = first.pts or 0
        upcoming: VideoFrame | None = first
        while upcoming is not None:
            index, t_s = self._stamp(upcoming, start)
            if index >= self._begin:
                yield Frame(index, t_s, self._image(upcoming))
            upcoming = self._next()
        if not self._closed:
            self._report()

    def close(self) -> None:
        """Release the file, from any thread; the iteration ends. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if self._decoded is not None:
                    self._decoded.close()
                self._container.close()

    def _next(self) -> VideoFrame | None:
        with self._lock:
            return None if self._closed or self._decoded is None else next(self._decoded, None)

    def _stamp(self, decoded: VideoFrame, start: int) -> tuple[int, float]:
        """Number and time of the frame after those delivered so far."""
        index = self._delivered + self.dropped
        step_s = 1 / (self.fps or USUAL_FPS)
        if decoded.pts is None or decoded.time_base is None:
            t_s = index * step_s
        else:
            t_s = float((decoded.pts - start) * decoded.time_base)
        if self._delivered and t_s <= self._last_s:
            # Damaged files repeat or turn back time stamps; the filters behind need them to advance.
            t_s = self._last_s + step_s
        self._last_s = t_s
        self._delivered += 1
        self._end.frame(t_s)
        return index, t_s

    def _image(self, decoded: VideoFrame) -> NDArray[np.uint8]:
        width, height = self._raw_px
        image = decoded.to_ndarray(format="bgr24", width=width, height=height)
        return np.ascontiguousarray(np.rot90(image, quarter_turns(decoded)))

    def _decode(self) -> Generator[VideoFrame]:
        """Yield the frames that are whole; count the others."""
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
                    yield frame

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


class ImageFolderSource(_Recording):
    """The pictures of a folder, "2.png" before "10.png", at `fps` pictures a second.

    All must have the size of the first one, because they belong to one camera: another size is a UserError, and so
    is a folder without a readable picture. Damaged pictures are skipped and counted, and keep their time.
    """

    def __init__(self, folder: Path, fps: float = 30.0) -> None:
        """List the folder and look at the first picture that is readable."""
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder of pictures")
        if not fps > 0:
            raise UserError(f"{fps:g} pictures a second is no rate; it must be above 0")
        self.name = str(folder)
        self.fps: float | None = fps
        self._step_s = 1 / fps
        names = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".")]
        self._paths = sorted(names, key=_natural_order)
        self.frame_count = len(self._paths)
        self.size_px = self._first_size()

    def __iter__(self) -> Iterator[Frame]:
        """Read picture by picture."""
        paths, self._paths = self._paths, []
        self.dropped = self._begin - self._whole_before
        for index, path in enumerate(paths[self._begin :], self._begin):
            try:
                image = read_picture(path)
            except UnreadablePicture as error:
                _log.warning("%s; it is skipped", error)
                self.dropped += 1
                continue
            size_px = image.shape[1], image.shape[0]
            if size_px != self.size_px:
                raise UserError(
                    f"{path}: is {size_px[0]}x{size_px[1]}, the first picture {self.size_px[0]}x{self.size_px[1]}; "
                    "keep pictures of one camera and one size in a folder"
                )
            yield Frame(index, index * self._step_s, image)

    def _first_size(self) -> tuple[int, int]:
        for path in self._paths:
            try:
                return picture_size(path)
            except UnreadablePicture:
                continue
        raise UserError(f"{self.name}: holds no readable picture ({', '.join(PICTURE_SUFFIXES)})")


def _natural_order(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key that reads runs of digits as numbers."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts if p], path.name

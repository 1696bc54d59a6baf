"""Writes pictures as H.264 into an MP4 file, under another name until it is whole (one thread at a time)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import is_unfinished

TIME_BASE: Final = Fraction(1, 90_000)
"""Fine enough for true time stamps at any rate; the usual one of video."""
NOMINAL_FPS: Final = 30
"""Only for the encoder's rate control; the time stamps say when a picture is shown."""
GROUP_OF_PICTURES: Final = 30
"""A fragment is finished with each key picture: a killed run loses at most this many, and what the encoder holds."""
PART: Final = ".part"
"""`a.part.mp4` becomes `a.mp4` when it is closed; players open it before."""
_BT601, _LIMITED_RANGE = 6, 1
"""FFmpeg's numbers for SMPTE 170M and for 16..235: what OpenCV converts to. Untagged, players guess."""
_MOVFLAGS: Final = "frag_keyframe+empty_moov+default_base_moof"


class VideoWriter:
    """`with VideoWriter(path) as video: video.write(image_bgr, t_s)`; without a picture no file is left.

    The first picture sets the size; an odd width or height grows by one repeated column or row, and later pictures
    are resized to it. Time counts from the first picture. An older file of that name is replaced when this one is
    whole; until then, and after a kill, what is written is `part`, which players open. Raises UserError, naming the
    file, where it cannot be written; after that the writer takes no more, and what was written stays in `part`.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        hidden = is_unfinished(self._path)  # a batch's, which finds it by that name after a kill
        self.part = self._path if hidden else self._path.with_name(self._path.stem + PART + self._path.suffix)
        self._stream: VideoStream | None = None
        self._first_s = 0.0
        self._last_pts = -1
        if self._path.suffix.lower() not in (".mp4", ".m4v", ".mov"):
            raise UserError(f"{self._path}: videos are written as .mp4: give a file name that ends so")
        if self._path.is_dir():
            raise UserError(f"{self._path}: is a folder; name a file")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            options = {"movflags": _MOVFLAGS, "flush_packets": "1"}
            # "file:": else FFmpeg takes what stands before a colon ("10:30.mp4") for a protocol.
            self._container = av.open(f"file:{self.part}", "w", format="mp4", options=options)
            # FFmpeg opens the file only with the first packet; a run should not learn of a bad path that late.
            self.part.open("wb").close()
        except (OSError, av.FFmpegError) as error:
            raise self._cannot_write(error) from error
        self._open = True

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write(self, image_bgr: NDArray[np.uint8], t_s: float) -> None:
        """Append a picture (H, W, 3) shown at `t_s` seconds; a time that does not advance is moved on by one tick."""
        if not self._open:
            raise ValueError(f"{self._path}: written to after it was closed")
        if self._stream is None:
            self._stream = self._start(image_bgr, t_s)
        stream = self._stream
        fitted = _fitted(image_bgr, (stream.width, stream.height))
        # OpenCV's conversion is exact to a grey level; PyAV's own turns grey 30 into 27.
        frame = av.VideoFrame.from_ndarray(cv2.cvtColor(fitted, cv2.COLOR_BGR2YUV_I420), format="yuv420p")
        frame.colorspace, frame.color_range = _BT601, _LIMITED_RANGE
        self._last_pts = max(round((t_s - self._first_s) / TIME_BASE), self._last_pts + 1)
        frame.pts, frame.time_base = self._last_pts, TIME_BASE
        self._mux(stream, frame)

    def close(self) -> None:
        """Write what the encoder still holds and close; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if self._stream is None:
                self.part.unlink(missing_ok=True)
            else:
                self.part.replace(self._path)
        except (OSError, av.FFmpegError) as error:
            raise self._cannot_write(error) from error

    def _start(self, image_bgr: NDArray[np.uint8], t_s: float) -> VideoStream:
        height, width = image_bgr.shape[:2]
        self._first_s = t_s
        stream = self._container.add_stream("libx264", rate=NOMINAL_FPS)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        context = stream.codec_context
        context.gop_size = GROUP_OF_PICTURES
        context.colorspace = context.color_primaries = context.color_trc = _BT601
        context.color_range = _LIMITED_RANGE
        # Pictures that refer forwards would move every time stamp: this kind of file has no list to take it back.
        stream.options = {"crf": "20", "preset": "veryfast", "bf": "0"}
        return stream

    def _mux(self, stream: VideoStream, frame: av.VideoFrame) -> None:
        try:
            self._container.mux(stream.encode(frame))
        except (OSError, av.FFmpegError) as error:
            # Flushing the encoder into a file whose header failed ends the process: leave it as it is.
            self._open = False
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: Exception) -> UserError:
        reason = getattr(error, "strerror", None) or error
        begun = f"; what was written is in {self.part}" if self._last_pts >= 0 and self.part != self._path else ""
        return UserError(
            f"{self._path}: the video cannot be written ({reason}); choose another file or make room{begun}"
        )


def _fitted(image_bgr: NDArray[np.uint8], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture in exactly the video's size (width, height)."""
    height, width = image_bgr.shape[:2]
    right, below = size_px[0] - width, size_px[1] - height
    if (right, below) == (0, 0):
        return np.ascontiguousarray(image_bgr)
    if right in (0, 1) and below in (0, 1):
        return cv2.copyMakeBorder(image_bgr, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return cv2.resize(image_bgr, size_px, interpolation=cv2.INTER_AREA)

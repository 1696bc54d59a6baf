"""Writing pictures as they come into a video of H.264 (PyAV; one thread a video)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from engines.errors import UserError


class VideoOut:
    """A video under a name of its own until it is whole; use it in a `with` block."""

    def __init__(self, path: Path, size_px: tuple[int, int], fps: float, crf: int = 14) -> None:
        """`crf` 14 is nearly without loss. Raises UserError if the file cannot be made."""
        self._path, self._partial = path, path.with_name(f"{path.stem}.partial{path.suffix}")
        self._step = Fraction(1, 1000)
        self._fps = fps
        self.frames = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._partial), "w", format="mp4")
        except (OSError, FFmpegError) as error:
            raise UserError(f"{path}: cannot be written ({error}); choose another folder") from error
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream("libx264", rate=rate)
        self._stream.options = {"crf": str(crf), "preset": "veryfast"}
        # H.264 in 4:2:0 has even sides only
        self._stream.width, self._stream.height = size_px[0] // 2 * 2, size_px[1] // 2 * 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._step

    def __enter__(self) -> VideoOut:
        return self

    def write(self, image_bgr: NDArray[np.uint8]) -> None:
        """Append a picture; stamps are even: the true ones are kept in the recording."""
        height, width = self._stream.height, self._stream.width
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image_bgr[:height, :width]), format="bgr24")
        frame.pts, frame.time_base = round(self.frames * 1000 / self._fps), self._step
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file; after an error nothing is left of it."""
        if self.frames:
            self._container.mux(self._stream.encode())
        self._container.close()
        if kind is None and self.frames:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)

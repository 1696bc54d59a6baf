"""Small real video files for the tests, written with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

STEP = 6
"""Grey levels between successive frames of `write_video`."""


def level(frame: int) -> int:
    """Grey level of frame number `frame`."""
    return 20 + frame * STEP % 216


def picture(frame: int, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """Grey picture of that level; its leftmost quarter is white."""
    image = np.full((size_px[1], size_px[0], 3), level(frame), np.uint8)
    image[:, : size_px[0] // 4] = 255
    return image


def frame_of(image: NDArray[np.uint8]) -> int:
    """Number (modulo 36) of the frame that `image` shows."""
    # FFmpeg's way to YUV and back loses up to three levels.
    return round((float(np.median(image[:, image.shape[1] // 2 :])) - 18.5) / STEP)


def write_video(
    path: Path,
    times_ms: Sequence[int],
    size_px: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """Write one frame at each of `times_ms`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={"crf": "5"} | (options or {}))
        stream.width, stream.height = size_px
        stream.pix_fmt = pix_fmt
        if path.suffix not in (".gif", ".avi"):
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, t_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(i, size_px), "bgr24")
            frame.pts, frame.time_base = t_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def encode(
    path: Path, images: Sequence[NDArray[np.uint8]], times_ms: Sequence[int], pixel_aspect: Fraction | None = None
) -> Path:
    """Write BGR pictures of one size at `times_ms`, nearly without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "4", "bf": "0"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        for image, t_ms in zip(images, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "bgr24")
            frame.pts, frame.time_base = t_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def steady(count: int, fps: float = 30) -> list[int]:
    """Times in ms of `count` frames at a steady rate."""
    return [round(i * 1000 / fps) for i in range(count)]


def rotate_clockwise(path: Path) -> None:
    """Mark an MP4 as "show it turned clockwise by 90 degrees", as phones do."""
    set_display_matrix(path, 0, 1, -1, 0)


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Mark an MP4: the pixel (p, q), right and down, is to be shown at (a p + c q, b p + d q), but for a shift."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + (52 if data[header] == 1 else 40)
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)

"""The sample clip in other sizes, for measuring: scaled, and filled up at the sides as a wide camera would see it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.sources.recording import VideoSource
from viz.video.video_writer import VideoWriter

SAMPLE: Final = Path(__file__).parents[1] / "samples" / "two_hands.mp4"
SIZES_PX: Final = {"480p": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080)}


def clip_of(size: str, folder: Path, most_frames: int | None = None) -> Path:
    """The sample clip at a size of `SIZES_PX`; the shipped file itself where it has that size and all frames."""
    if size == "480p" and most_frames is None:
        return SAMPLE
    path = folder / f"{size}.mp4"
    if path.exists():
        return path
    with VideoSource(SAMPLE) as source:
        writer = VideoWriter(path)
        for frame in source:
            if most_frames is not None and frame.index >= most_frames:
                break
            writer.write(_fitted(frame.image_bgr, SIZES_PX[size]), frame.t_capture_s)
        writer.close()
    return path


def _fitted(image_bgr: NDArray[np.uint8], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size_px
    scaled = cv2.resize(image_bgr, (round(image_bgr.shape[1] * height / image_bgr.shape[0]), height))
    left = (width - scaled.shape[1]) // 2
    right = width - scaled.shape[1] - left
    return cv2.copyMakeBorder(scaled, 0, 0, left, right, cv2.BORDER_REPLICATE).astype(np.uint8)

"""The pictures of an episode as a video whose frame i is shown at i / fps, as LeRobot asks (one thread)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.sources.image_folder import ImageFolderSource
from realtime.sources.one_view import of_one_view
from realtime.sources.recording import VideoSource
from realtime.tracks.recorded_from import check_recording
from realtime.tracks.schema import Tracks

CODEC: Final = "h264"
PIXEL_FORMAT: Final = "yuv420p"
_BT601, _LIMITED_RANGE = 6, 1
"""FFmpeg's numbers for what OpenCV converts to."""
_GROUP: Final = 8
"""Pictures between those that stand alone: training reads single ones at random."""
_SAMPLES: Final = 100
"""Pictures that the statistics of colours are taken from, and their width."""
_SAMPLE_PX: Final = 160


def write_video(tracks: Tracks, recording: Path, fps: int, path: Path) -> NDArray[np.float64]:
    """Write a picture for each frame of `tracks`; (N, 3) samples of red, green, blue, 0..1.

    A picture that the recording lost is the one before it. Raises UserError if the recording is another one, or
    unreadable, OSError if the video cannot be written.
    """
    size_px = video_size_px(tracks)
    samples: list[NDArray] = []
    every = max(len(tracks) // _SAMPLES, 1)
    try:
        with path.open("wb") as file, av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=fps)
            stream.width, stream.height = size_px
            stream.pix_fmt = PIXEL_FORMAT
            stream.codec_context.colorspace, stream.codec_context.color_range = _BT601, _LIMITED_RANGE
            stream.time_base = stream.codec_context.time_base = Fraction(1, fps)
            stream.codec_context.gop_size = _GROUP
            stream.options = {"crf": "18", "preset": "veryfast", "bf": "0"}
            for i, image_bgr in enumerate(_pictures(tracks, recording)):
                frame = _frame(image_bgr, size_px)
                frame.pts, frame.time_base = i, Fraction(1, fps)
                container.mux(stream.encode(frame))
                if i % every == 0:
                    samples.append(_sample(image_bgr))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise OSError(error.errno, f"the video cannot be written ({error.strerror})") from error
    return np.concatenate(samples).astype(np.float64) / 255.0


def video_size_px(tracks: Tracks) -> tuple[int, int]:
    """(width, height): an odd one grows by a repeated column or row, which the pixel format asks for."""
    width, height = tracks.size_px.tolist()
    return width + width % 2, height + height % 2


def _frame(image_bgr: NDArray[np.uint8], size_px: tuple[int, int]) -> av.VideoFrame:
    """OpenCV's conversion is exact to a grey level; PyAV's own turns grey 30 into 27."""
    height, width = image_bgr.shape[:2]
    right, below = size_px[0] - width, size_px[1] - height
    grown = cv2.copyMakeBorder(image_bgr, 0, below, 0, right, cv2.BORDER_REPLICATE) if right or below else image_bgr
    frame = av.VideoFrame.from_ndarray(cv2.cvtColor(grown, cv2.COLOR_BGR2YUV_I420), format=PIXEL_FORMAT)
    frame.colorspace, frame.color_range = _BT601, _LIMITED_RANGE
    return frame


def _pictures(tracks: Tracks, recording: Path) -> Iterator[NDArray[np.uint8]]:
    """(H, W, 3) for each frame, by its number at the source."""
    opened = ImageFolderSource(recording, mirrored=tracks.mirrored) if recording.is_dir() else None
    with closing(opened or VideoSource(recording, mirrored=tracks.mirrored)) as source:
        check_recording(tracks, recording, source.size_px)
        wanted = iter(tracks.frame_index.tolist())
        number = next(wanted, None)
        image_bgr: NDArray[np.uint8] | None = None
        for frame in of_one_view(source):
            while number is not None and number < frame.index and image_bgr is not None:
                yield image_bgr
                number = next(wanted, None)
            if number is None:
                return
            image_bgr = frame.image_bgr
        while number is not None and image_bgr is not None:
            yield image_bgr
            number = next(wanted, None)


def _sample(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 3) red, green, blue of a small copy."""
    height, width = image_bgr.shape[:2]
    small = cv2.resize(
        image_bgr, (_SAMPLE_PX, max(round(_SAMPLE_PX * height / width), 1)), interpolation=cv2.INTER_AREA
    )
    return small.reshape(-1, 3)[:, ::-1]

"""What a window on the X display shows, picture by picture (FFmpeg's x11grab, through PyAV)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.x_windows import Area, area_of

_PATIENCE_S: Final = 60.0
"""So long a window may take to appear."""
_LOOK_AGAIN_S: Final = 0.5


def grab(title: str, rate_hz: float, patience_s: float = _PATIENCE_S) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """(time.time() of the grab, picture (H, W, 3) BGR) of the window's area; waits for it to appear.

    Ends with the window; follows it where it moves or changes its size, as windows do when they open. What lies over
    it is grabbed, too. Raises UserError if there is no such window after `patience_s`.
    """
    end_s, seen = time.monotonic() + patience_s, False
    while (area := area_of(title)) is not None or not seen:
        try:
            for picture in _of_area(area, title, rate_hz) if area else ():
                seen = True
                yield picture
        except av.error.FFmpegError:  # it lies partly off the screen, as long as it is being placed
            seen = False
        if not seen and time.monotonic() > end_s:
            raise UserError(f"no window {title!r} has appeared on the display, whole")
        time.sleep(0.02)


def _of_area(area: Area, title: str, rate_hz: float) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """As `grab`, while the window is there."""
    x, y, width, height = area
    options = {"video_size": f"{width}x{height}", "framerate": f"{rate_hz:g}", "draw_mouse": "0"}
    looked_s, reformatter = time.monotonic(), VideoReformatter()
    with av.open(f"{os.environ['DISPLAY']}+{x},{y}", format="x11grab", options=options) as screen:
        for frame in screen.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            yield float(frame.pts * frame.time_base), _picture(reformatter, frame)
            if time.monotonic() - looked_s > _LOOK_AGAIN_S:
                looked_s = time.monotonic()
                if area_of(title) != area:
                    return


def _picture(reformatter: VideoReformatter, frame: av.VideoFrame) -> NDArray[np.uint8]:
    return reformatter.reformat(frame, format="bgr24", threads=1).to_ndarray().astype(np.uint8, copy=False)

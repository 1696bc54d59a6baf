"""What the user sees while calibrating: lines of text, and a window where there is a screen (main thread)."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.calibration.collect import Collector, Progress
from realtime.opencv_windows import FirstPictures, choose_platform

_TITLE: Final = "calibrate: ESC ends"
_EVERY_S: Final = 2.0
_PATIENCE_S: Final = 30.0
"""For a window over a slow line."""
_GREEN, _ORANGE, _WHITE, _DARK = (90, 200, 60), (40, 150, 255), (245, 245, 245), (26, 22, 20)
_ESCAPE: Final = (27, ord("q"))


def window_opens() -> bool:
    """Whether OpenCV can open a window here. Tried in a process of its own: without a screen Qt ends the process."""
    if choose_platform() is not None:
        return False
    attempt = [sys.executable, "-c", "import cv2; cv2.namedWindow('a'); cv2.waitKey(1)"]
    try:
        return subprocess.run(attempt, capture_output=True, timeout=_PATIENCE_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Feedback:
    """Tells of every view that is taken, and every two seconds what is missing."""

    def __init__(self, window: bool) -> None:
        self._window = window
        self._said_s = -np.inf
        self._first = FirstPictures(_TITLE)
        if window:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def show(self, image_bgr: NDArray[np.uint8], collector: Collector, progress: Progress) -> bool:
        """Show one step; False if the user wants to end."""
        now_s = time.monotonic()
        if progress.taken or now_s - self._said_s > _EVERY_S:
            self._said_s = now_s
            print(status_line(collector, progress), flush=True)
        if not self._window:
            return True
        cv2.imshow(_TITLE, draw_progress(image_bgr, collector, progress))
        key = cv2.waitKey(1) & 0xFF
        self._first.shown()
        return key not in _ESCAPE and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) > 0

    def close(self) -> None:
        """Close the window."""
        if self._window:
            cv2.destroyWindow(_TITLE)


def status_line(collector: Collector, progress: Progress) -> str:
    """Views so far, the error so far, what to do."""
    error = "" if collector.error_px is None else f", error {collector.error_px:.2f} px"
    return f"{len(collector.views):3d} of {collector.wanted} views{error}; {progress.hint}"


def draw_progress(image_bgr: NDArray[np.uint8], collector: Collector, progress: Progress) -> NDArray[np.uint8]:
    """A copy of the picture with the parts that are still missing tinted, the corners, and what to do."""
    picture = image_bgr.copy()
    height, width = picture.shape[:2]
    counts = collector.counts
    for i, j in np.argwhere(counts < 4):
        top, bottom = (round(height * k / counts.shape[0]) for k in (i, i + 1))
        left, right = (round(width * k / counts.shape[1]) for k in (j, j + 1))
        part = picture[top:bottom, left:right]
        part[:] = (0.7 * part + 0.3 * np.array(_ORANGE)).astype(np.uint8)
    scale = height / 480
    colour = _GREEN if progress.taken else _WHITE
    for x, y in progress.seen.corners_px if progress.seen is not None else ():
        cv2.circle(picture, (round(float(x)), round(float(y))), max(2, round(4 * scale)), colour, -1, cv2.LINE_AA)
    cv2.rectangle(picture, (0, height - round(34 * scale)), (width, height), _DARK, -1)
    place = round(10 * scale), height - round(11 * scale)
    text = status_line(collector, progress).strip()
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * scale, _WHITE, max(1, round(scale)), cv2.LINE_AA)
    return picture

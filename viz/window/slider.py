"""The bar below a window that shows where in a recording playback is, and takes it elsewhere. Main thread only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2

_NAME: Final = "frame"


class Slider:
    """A bar of `count` frames, at least 1: `place()` says where it should stand, `go_to(frame)` hears the person."""

    def __init__(self, count: int, place: Callable[[], int], go_to: Callable[[int], None]) -> None:
        self._last = max(count - 1, 1)
        self._place = place
        self._go_to = go_to
        self._shown = 0
        self._title: str | None = None

    def attach(self, title: str) -> None:
        """Put the bar into the OpenCV window of this title."""
        cv2.createTrackbar(_NAME, title, 0, self._last, self._moved)
        self._title = title

    def follow(self) -> None:
        """Move the bar to where playback is."""
        place = self._place()
        if self._title is not None and place != self._shown:
            self._shown = place
            cv2.setTrackbarPos(_NAME, self._title, place)

    def _moved(self, frame: int) -> None:
        # OpenCV calls this also when the program moves the bar.
        if frame != self._shown:
            self._shown = frame
            self._go_to(frame)

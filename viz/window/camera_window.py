"""The camera's picture with the overlay in an OpenCV window. Main thread only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.messages import HandFrame
from realtime.opencv_windows import FirstPictures, choose_platform
from viz.drawing.overlay import draw_overlay
from viz.drawing.status import OverlayStatus
from viz.viewer import Display
from viz.window.display import require_display
from viz.window.keys import HELP, KEY_CODES_CV, help_lines
from viz.window.slider import Slider

LARGEST_PX: Final = 1280
"""A window opens at most this wide; it can be pulled larger."""


class CameraWindow:
    """Shows each picture with `draw_overlay`; M mirrors, H helps, ESC, Q or the window's button closes.

    `status` gives the numbers for each result (`StatusMeter.update`). `actions` adds what other keys do, by the names
    in `viz.window.keys`, and `slider` a bar to move through a recording. Raises UserError without a display or with an
    OpenCV that has no windows.
    """

    def __init__(
        self,
        status: Callable[[HandFrame], OverlayStatus],
        display: Display | None = None,
        title: str = "two hands: camera",
        actions: Mapping[str, Callable[[], None]] | None = None,
        keys_help: Mapping[str, str] = HELP,
        slider: Slider | None = None,
    ) -> None:
        require_display("the camera window")
        missing = choose_platform()
        if missing:
            raise UserError(f"the camera window cannot be opened ({missing}); install that library, or use --headless")
        self._slider = slider
        self._status = status
        self._display = display or Display()
        self._title = title
        self._help = help_lines(keys_help)
        own = {"m": self._display.toggle_mirror, "h": self._display.toggle_help, "q": self._leave}
        actions = {**own, "escape": self._leave, **(actions or {})}
        self._actions = {code: action for name, action in actions.items() for code in KEY_CODES_CV[name]}
        self._size_px: tuple[int, int] | None = None
        self._first = FirstPictures(title)
        self._open = True
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.moveWindow(title, 0, 40)
            if slider is not None:
                slider.attach(title)
        except cv2.error as error:
            raise UserError(
                "the camera window cannot be opened: this OpenCV was built without windows; "
                "install opencv-contrib-python (not -headless) or use --headless"
            ) from error

    def show(self, hand_frame: HandFrame, image_bgr: NDArray[np.uint8]) -> None:
        """Draw and show one result."""
        if not self._open:
            return
        lines = self._help if self._display.show_help else ()
        status = self._status(hand_frame)
        cv2.imshow(self._title, draw_overlay(image_bgr, hand_frame, status, self._display.mirror, lines))
        self._fit(image_bgr.shape[1], image_bgr.shape[0])
        if self._slider is not None:
            self._slider.follow()
        self._answer_events()  # that paints it, now and not after what the other windows do
        self._first.shown()

    def is_running(self) -> bool:
        """Answer mouse and keys (takes a millisecond); False once the window was closed."""
        if self._open:
            self._answer_events()
        return self._open

    def close(self) -> None:
        """Destroy the window; a second call does nothing."""
        self._open = False
        if self._title:
            if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1:
                cv2.destroyWindow(self._title)
            self._title = ""

    def _answer_events(self) -> None:
        self._press(cv2.pollKey())
        self._open = self._open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1

    def _press(self, code: int) -> None:
        # Some toolkits put the state of shift and num lock into the upper bits.
        action = self._actions.get(code) or self._actions.get(code & 0xFFFF)
        if code >= 0 and action is not None:
            action()

    def _fit(self, width: int, height: int) -> None:
        """Set the window's size when pictures of another size begin."""
        if self._size_px != (width, height):
            self._size_px = (width, height)
            shrink = min(1.0, LARGEST_PX / width)
            cv2.resizeWindow(self._title, max(round(width * shrink), 1), max(round(height * shrink), 1))

    def _leave(self) -> None:
        self._open = False

"""A view without a window: each result's picture with the overlay, and the 3D view beside it, into a video file.

Open3D belongs to the main thread; overlay and encoder work in one beside, while the next frame is tracked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.messages import HandFrame
from viz.drawing.overlay import draw_overlay
from viz.drawing.status import OverlayStatus
from viz.video.in_order import InOrder
from viz.video.video_writer import VideoWriter
from viz.viewer import Display


class Renderer(Protocol):
    """Draws the 3D view as a picture, like `Open3DRenderer`."""

    def render(self, hand_frame: HandFrame) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR."""

    def close(self) -> None:
        """Give everything back; a second call does nothing."""


def open_renderer(display: Display, say: Callable[[str], None]) -> Renderer | None:
    """The 3D view for a video; without OpenGL the video goes on without it, and `say` gets the reason."""
    try:
        from viz.scene3d.open3d_renderer import Open3DRenderer

        return Open3DRenderer(display=display)
    except UserError as error:
        say(f"the video has no 3D view: {error}")
        return None


class Recorder:
    """A viewer that writes a video; it never ends by itself. One thread, the main one if it has a renderer.

    With `renderer`, which it owns and closes, the 3D view stands at the right, as high as the picture. Raises
    UserError where the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        status: Callable[[HandFrame], OverlayStatus],
        display: Display | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self._video = VideoWriter(path)
        self._beside = InOrder("video")
        self._status = status
        self._display = display or Display()
        self._renderer = renderer

    def show(self, hand_frame: HandFrame, image_bgr: NDArray[np.uint8]) -> None:
        """Append one result at its own time stamp; raises UserError if an earlier one could not be written."""
        status, mirror = self._status(hand_frame), self._display.mirror
        in_space = None if self._renderer is None else self._renderer.render(hand_frame)
        self._beside.give(partial(self._write, hand_frame, image_bgr, status, mirror, in_space))

    def is_running(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Finish the file; a second call does nothing. Raises UserError if it could not be written."""
        with ExitStack() as at_end:
            if self._renderer is not None:
                at_end.callback(self._renderer.close)
            at_end.callback(self._video.close)
            self._beside.finish()

    def _write(
        self,
        hand_frame: HandFrame,
        image_bgr: NDArray[np.uint8],
        status: OverlayStatus,
        mirror: bool,
        in_space: NDArray[np.uint8] | None,
    ) -> None:
        picture = draw_overlay(image_bgr, hand_frame, status, mirror)
        picture = picture if in_space is None else beside(picture, in_space)
        self._video.write(picture, hand_frame.t_capture_s)


def beside(left_bgr: NDArray[np.uint8], right_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Both pictures in one, the right one scaled to the height of the left one."""
    height = left_bgr.shape[0]
    width = max(round(right_bgr.shape[1] * height / right_bgr.shape[0]), 1)
    if right_bgr.shape[0] != height:
        right_bgr = cv2.resize(right_bgr, (width, height), interpolation=cv2.INTER_AREA)
    return np.concatenate([left_bgr, right_bgr], axis=1)

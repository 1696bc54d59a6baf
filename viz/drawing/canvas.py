"""A picture to draw on in the coordinates of the tracked frame, with sub-pixel, anti-aliased strokes (any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viz.drawing.palette import Bgr

FONT: Final = cv2.FONT_HERSHEY_DUPLEX
_FONT_HEIGHT_PX: Final = 22.0
"""Height of a capital letter of that font at scale 1."""
_SHIFT: Final = 4
"""OpenCV takes coordinates in sixteenths of a pixel."""
_FAR_PX: Final = 1.0e5
"""Strokes further out are cut there: OpenCV counts in 32 bits."""

Point = tuple[int, int]
"""A place in the picture in OpenCV's sixteenths, from `points`."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom lie just outside."""


@dataclass(frozen=True)
class Canvas:
    """Draws into `picture` (H, W, 3) uint8."""

    picture: NDArray[np.uint8]
    frame_size_px: tuple[int, int]
    """(width, height) of the frame that coordinates belong to."""
    mirror: bool

    @property
    def scale(self) -> float:
        """1 for 640 x 480; grows with the shorter side."""
        return max(min(self.picture.shape[:2]) / 480.0, 0.3)

    def place(self, points_px: NDArray) -> NDArray[np.float64]:
        """Points (N, 2) of the frame on this picture, which may be larger, smaller or mirrored."""
        height, width = self.picture.shape[:2]
        factor = np.array([width / self.frame_size_px[0], height / self.frame_size_px[1]])
        placed = (np.asarray(points_px, np.float64) + 0.5) * factor - 0.5
        if self.mirror:
            placed[:, 0] = width - 1 - placed[:, 0]
        return placed

    def line(self, start: Point, end: Point, colour: Bgr, width: float) -> None:
        """A stroke with round ends."""
        cv2.line(self.picture, start, end, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)

    def disc(self, center: Point, radius: float, colour: Bgr) -> None:
        """A filled circle."""
        fixed_radius = max(round(radius * (1 << _SHIFT)), 1)
        cv2.circle(self.picture, center, fixed_radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def shade(self, box: Box, colour: Bgr, opacity: float) -> None:
        """Mix a rectangle with a colour."""
        height, width = self.picture.shape[:2]
        left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
        if left >= right or top >= bottom:
            return
        part = self.picture[top:bottom, left:right]
        cv2.addWeighted(part, 1.0 - opacity, np.full_like(part, colour), opacity, 0.0, dst=part)

    def text_size(self, text: str, height_px: float) -> tuple[int, int]:
        """(width, height of a capital letter) in pixels."""
        (width, _), _ = cv2.getTextSize(text, FONT, height_px / _FONT_HEIGHT_PX, _thickness(height_px))
        return width, round(height_px)

    def text(self, text: str, left_px: float, baseline_px: float, height_px: float, colour: Bgr) -> None:
        """Write; `height_px` is the height of a capital letter."""
        place = (round(left_px), round(baseline_px))
        scale = height_px / _FONT_HEIGHT_PX
        cv2.putText(self.picture, text, place, FONT, scale, colour, _thickness(height_px), cv2.LINE_AA)


def _thickness(height_px: float) -> int:
    return max(1, round(height_px / 14.0))


def points(placed_px: NDArray) -> list[Point]:
    """Points (N, 2) in pixels of the picture, to draw at; all at once, because each one alone costs as much."""
    fixed = np.rint(np.clip(placed_px, -_FAR_PX, _FAR_PX) * (1 << _SHIFT)).astype(int)
    return [(x, y) for x, y in fixed.tolist()]

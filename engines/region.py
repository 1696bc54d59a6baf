"""A turned square of a picture, as MediaPipe's networks look at it (numpy and OpenCV; any thread).

MediaPipe's pixels: (0, 0) is the corner of the picture, where ours have the centre of its top left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Region:
    """What it shows stands upright in it."""

    x: float
    y: float
    side: float
    turn_rad: float
    """Clockwise in the picture."""

    def corners(self) -> NDArray[np.float32]:
        """(3, 2) lower left, upper left, upper right, as what it shows stands."""
        half, (cos, sin) = self.side / 2, (np.cos(self.turn_rad), np.sin(self.turn_rad))
        right, down = half * np.array([cos, sin]), half * np.array([-sin, cos])
        centre = np.array([self.x, self.y])
        return np.array([centre - right + down, centre - right - down, centre + right - down], np.float32)

    def in_picture(self, points: NDArray) -> NDArray[np.float64]:
        """Points (N, 2) of the region, in shares of its side from its top left, in our pixels of the picture."""
        x, y = self.side * (points.T.astype(np.float64) - 0.5)
        cos, sin = np.cos(self.turn_rad), np.sin(self.turn_rad)
        return np.stack([cos * x - sin * y + self.x, sin * x + cos * y + self.y], axis=1) - 0.5


def whole(size_px: tuple[int, int]) -> Region:
    """The picture of (width, height) in the middle of a square."""
    return Region(size_px[0] / 2, size_px[1] / 2, max(size_px), 0.0)


def from_square(points: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.float64]:
    """Points (N, 2), in shares of the side of `whole`, in MediaPipe's pixels of the picture of (width, height)."""
    edge = (max(size_px) - np.array(size_px)) / 2  # (2,) black beside and above
    return max(size_px) * points - edge


def turn_up(from_px: NDArray[np.float64], to_px: NDArray[np.float64]) -> float:
    """Turn of the region in which one point (2,) lies straight below another."""
    x, y = to_px - from_px
    turn = np.pi / 2 - np.arctan2(-y, x)
    return float(turn - 2 * np.pi * np.floor((turn + np.pi) / (2 * np.pi)))


def cut(image_bgr: NDArray[np.uint8], region: Region, size_px: int, border: int) -> NDArray[np.float32]:
    """The region as (S, S, 3) RGB in 0..1, sampled as MediaPipe does; `border`: OpenCV's, beyond the picture."""
    corners = region.corners()
    fourth = corners[0] + corners[2] - corners[1]
    place = np.array([[0, size_px], [0, 0], [size_px, 0], [size_px, size_px]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.concatenate([corners, fourth[None]]), place)
    crop = cv2.warpPerspective(image_bgr, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.multiply(crop[:, :, ::-1], np.float32(1 / 255), dtype=np.float32, order="C")

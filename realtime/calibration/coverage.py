"""Which parts of the picture and which tilts of the board a calibration still lacks (pure functions; any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.calibration.board import View
from realtime.camera_space.intrinsics import intrinsics_from_fov

COLUMN_NAMES: Final = ("left", "middle left", "middle right", "right")
ROW_NAMES: Final = ("top", "middle", "bottom")
CELLS: Final = (len(ROW_NAMES), len(COLUMN_NAMES))
TILTS: Final = ("left edge nearer", "right edge nearer", "top edge nearer", "bottom edge nearer")
TILTED: Final = np.tan(np.radians(15.0))
"""From here on a view tells focal length and distance apart."""
_CORNERS_IN_CELL: Final = 4
_SHIFT: Final = 0.04
_TURN: Final = 0.12
"""A view is new if the board has moved by this share of the picture, or its slope changed by this."""


def cells(views: Sequence[View], size_px: tuple[int, int]) -> NDArray[np.int64]:
    """(3, 4) corners found in each part of the picture."""
    counts = np.zeros(CELLS, np.int64)
    for view in views:
        share = (view.corners_px + 0.5) / np.array(size_px)
        at = np.clip((share * np.array(CELLS[::-1])).astype(int), 0, np.array(CELLS[::-1]) - 1)
        np.add.at(counts, (at[:, 1], at[:, 0]), 1)
    return counts


def slope(view: View, size_px: tuple[int, int]) -> NDArray[np.float64]:
    """(2,) how the board's distance grows to the right and downwards, as the tangent of its tilt.

    A camera of 60 degrees is assumed: enough to tell the tilts apart before anything is calibrated.
    """
    guess = intrinsics_from_fov(60.0, size_px)
    matrix = np.array([[guess.fx, 0, guess.cx], [0, guess.fy, guess.cy], [0, 0, 1]])
    _, turn, _ = cv2.solvePnP(view.corners_mm, view.corners_px, matrix, None, flags=cv2.SOLVEPNP_IPPE)
    normal = cv2.Rodrigues(turn)[0][:, 2]
    return -normal[:2] / (normal[2] if abs(normal[2]) > 1e-3 else 1e-3)


def tilts(slopes: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """(4,) which of TILTS there are."""
    all_slopes = np.array(slopes).reshape(-1, 2)
    right, down = all_slopes[:, 0], all_slopes[:, 1]
    there = (right > TILTED, right < -TILTED, down > TILTED, down < -TILTED)
    return np.array([bool(found.any()) for found in there])


def missing(counts: NDArray[np.int64], tilted: NDArray[np.bool_]) -> list[str]:
    """In words, what is not covered; nothing if all is."""
    words = [
        f"{row} {column}"
        for i, row in enumerate(ROW_NAMES)
        for j, column in enumerate(COLUMN_NAMES)
        if counts[i, j] < _CORNERS_IN_CELL
    ]
    return words + [name for name, found in zip(TILTS, tilted, strict=True) if not found]


def is_new(
    view: View, view_slope: NDArray, views: Sequence[View], slopes: Sequence[NDArray], size_px: tuple[int, int]
) -> bool:
    """Whether it shows the board elsewhere, or otherwise turned, than every view before."""
    place = view.corners_px.mean(axis=0)
    for other, other_slope in zip(views, slopes, strict=True):
        near = np.abs(place - other.corners_px.mean(axis=0)).max() < _SHIFT * max(size_px)
        if near and np.abs(view_slope - other_slope).max() < _TURN:
            return False
    return True

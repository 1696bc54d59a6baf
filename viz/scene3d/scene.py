"""What stands around the hands in the 3D window: ground grid and camera (numpy only; any thread).

Camera frame: x right, y down, z forward, millimetres. The camera is at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, backproject

GROUND_Y_MM: Final = 260.0
"""The ground lies this far below the camera."""
GRID_X_MM: Final = 600.0
GRID_Z_MM: Final = 1200.0
CELL_MM: Final = 100.0
STRONG_EVERY: Final = 3
"""Every third line across, 30, 60, 90, 120 cm from the camera, is stronger."""
MARK_SCALE: Final = 2.6
"""Millimetres for each of Open3D's text units; a letter is about 10 high."""
MARK_X_MM: Final = 208.0
MARK_GAP_MM: Final = 10.0

LINE_RGB: Final = (0.76, 0.77, 0.79)
STRONG_RGB: Final = (0.50, 0.52, 0.55)
CAMERA_RGB: Final = (0.12, 0.13, 0.15)
FRUSTUM_DEPTH_MM: Final = 70.0


@dataclass(frozen=True)
class Lines:
    """Line segments: points (P, 3) mm, pairs of their rows (L, 2), colours (L, 3) in 0..1."""

    points_mm: NDArray[np.float64]
    pairs: NDArray[np.int32]
    colours: NDArray[np.float64]


def ground_grid() -> Lines:
    """Squares of 10 cm from under the camera to 120 cm in front of it."""
    xs = np.arange(-GRID_X_MM, GRID_X_MM + 1, CELL_MM)
    zs = np.arange(0.0, GRID_Z_MM + 1, CELL_MM)
    ends = [[(x, GROUND_Y_MM, 0.0), (x, GROUND_Y_MM, GRID_Z_MM)] for x in xs]
    ends += [[(-GRID_X_MM, GROUND_Y_MM, z), (GRID_X_MM, GROUND_Y_MM, z)] for z in zs]
    strong = [abs(x) < 1 for x in xs] + [i % STRONG_EVERY == 0 for i in range(len(zs))]
    points = np.array(ends).reshape(-1, 3)
    colours = np.where(np.array(strong)[:, None], STRONG_RGB, LINE_RGB)
    return Lines(points, np.arange(len(points), dtype=np.int32).reshape(-1, 2), colours)


def distance_marks() -> dict[str, tuple[float, float, float]]:
    """Text and where it starts on the ground (mm), for each strong line in front of the camera."""
    step = round(STRONG_EVERY * CELL_MM)
    depths = range(step, round(GRID_Z_MM), step)
    return {f"{z // 10} cm": (MARK_X_MM, GROUND_Y_MM - 0.5, z + MARK_GAP_MM) for z in depths}


def camera_frustum(intrinsics: Intrinsics, size_px: tuple[int, int], mirror: bool = False) -> Lines:
    """What the camera sees, as a small pyramid with a mark at its upper side."""
    width, height = size_px
    corners_px = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5
    corners = backproject(corners_px, np.ones(4), intrinsics)
    corners[:, 0] *= -1.0 if mirror else 1.0
    near = corners * FRUSTUM_DEPTH_MM
    top = (near[0] + near[1]) / 2
    up = (top - (near[2] + near[3]) / 2) * 0.3
    mark = np.stack([0.7 * top + 0.3 * near[0], 0.7 * top + 0.3 * near[1], top + up])
    points = np.concatenate([np.zeros((1, 3)), near, mark])
    pairs = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1), (5, 7), (6, 7)]
    return Lines(points, np.array(pairs, np.int32), np.tile(CAMERA_RGB, (len(pairs), 1)))

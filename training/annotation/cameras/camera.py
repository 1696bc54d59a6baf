"""A calibrated camera in a world that several share: project, lines of sight (numpy and OpenCV; any thread).

Camera frames as everywhere (x right, y down, z forward), the world as its calibration chose it; millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, rays

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a camera stands and how it sees: X_camera = camera_from_world @ X_world + translation_mm."""

    name: str
    size_px: tuple[int, int]
    """(width, height)."""
    intrinsics: Intrinsics
    camera_from_world: Floats
    """(3, 3) rotation."""
    translation_mm: Floats
    """(3,)."""
    quarter_turns: int = 0
    """Clockwise turns by 90 degrees that show the picture upright; pixels are always those before turning."""

    @property
    def position_mm(self) -> Floats:
        """(3,) the camera's centre in the world."""
        return -self.camera_from_world.T @ self.translation_mm

    @property
    def matrix(self) -> Floats:
        """(3, 3) OpenCV's camera matrix."""
        i = self.intrinsics
        return np.array([[i.fx, 0.0, i.cx], [0.0, i.fy, i.cy], [0.0, 0.0, 1.0]])

    def in_camera(self, points_world_mm: NDArray) -> Floats:
        """World (..., 3) -> camera frame (..., 3)."""
        return np.asarray(points_world_mm @ self.camera_from_world.T + self.translation_mm, np.float64)

    def project(self, points_world_mm: NDArray) -> Floats:
        """World (..., 3) -> pixels (..., 2) as the lens shows them; NaN for what is not in front of the camera."""
        return self.project_with_slopes(points_world_mm)[0]

    def project_with_slopes(self, points_world_mm: NDArray) -> tuple[Floats, Floats]:
        """Pixels (..., 2), and how they move with the point, (..., 2, 3) px / mm."""
        shape = points_world_mm.shape[:-1]
        points = np.asarray(points_world_mm, np.float64).reshape(-1, 3)
        pixels, slopes = np.full((len(points), 2), np.nan), np.full((len(points), 2, 3), np.nan)
        before = self.in_camera(points)[:, 2] > 1.0  # False for NaN too
        if before.any():
            turn = cv2.Rodrigues(self.camera_from_world)[0]
            lens = np.array(self.intrinsics.distortion or (0.0,) * 5)
            seen = np.ascontiguousarray(points[before, None])
            px, jacobian = cv2.projectPoints(seen, turn, self.translation_mm, self.matrix, lens)
            pixels[before] = px[:, 0]
            # a shift of the point by d moves it as a shift of the camera's translation by R d does
            slopes[before] = jacobian[:, 3:6].reshape(-1, 2, 3) @ self.camera_from_world
        return pixels.reshape(*shape, 2), slopes.reshape(*shape, 2, 3)

    def sights(self, points_px: NDArray) -> Floats:
        """Pixels (..., 2) -> where their lines of sight meet z = 1 of the camera frame, (..., 2); distortion undone."""
        return np.asarray(rays(np.asarray(points_px, np.float64), self.intrinsics), np.float64)

    def sees(self, points_world_mm: NDArray) -> NDArray[np.bool_]:
        """(...) which points (..., 3) fall into the picture."""
        px = self.project(points_world_mm)
        with np.errstate(invalid="ignore"):
            return np.asarray(((px > -0.5) & (px < np.array(self.size_px) - 0.5)).all(axis=-1))


Rig = tuple[Camera, ...]
"""Cameras of one recording, in the order of its videos."""


def spread_mm(rig: Sequence[Camera]) -> float:
    """The mean distance of two cameras."""
    places = np.array([camera.position_mm for camera in rig])
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    return float(apart[np.triu_indices(len(places), 1)].mean()) if len(places) > 1 else 0.0

"""The pinhole camera and its lens: project, back-project, and RootNet's distance measure k (any thread).

Camera frame as in OpenCV: x right, y down, z forward, millimetres. Pixel (0, 0) is the centre of the top left pixel.
Pixels are always those of the picture as the camera gives it; what the lens distorts is undone at the points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.geometry.distortion import LensModel, distorted, undistorted
from engines.spec import ROOTNET_AREA_MM2


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels of the picture they belong to."""

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = field(default=(), kw_only=True)
    """OpenCV's coefficients (see `engines.geometry.distortion`); empty for a lens without. A fisheye has four."""
    lens_model: LensModel = field(default="pinhole", kw_only=True)
    """Which of OpenCV's models they are of."""

    def as_array(self) -> NDArray[np.float64]:
        """(4,) fx, fy, cx, cy."""
        return np.array([self.fx, self.fy, self.cx, self.cy])


def project(points_cam_mm: NDArray, intrinsics: Intrinsics) -> NDArray:
    """Camera space (..., 3) mm to pixels (..., 2). Points need a positive depth."""
    z = points_cam_mm[..., 2]
    x, y = points_cam_mm[..., 0] / z, points_cam_mm[..., 1] / z
    if intrinsics.distortion:
        x, y = distorted(x, y, intrinsics.distortion, intrinsics.lens_model)
    return np.stack([intrinsics.fx * x + intrinsics.cx, intrinsics.fy * y + intrinsics.cy], axis=-1)


def backproject(points_px: NDArray, depth_mm: NDArray, intrinsics: Intrinsics) -> NDArray:
    """Pixels (..., 2) with depths (...) mm to camera space (..., 3) mm."""
    x, y = _slopes(points_px, intrinsics)
    return np.stack([x * depth_mm, y * depth_mm, depth_mm], axis=-1)


def rays(points_px: NDArray, intrinsics: Intrinsics) -> NDArray:
    """Pixels (..., 2) to where their lines of sight meet the plane z = 1, (..., 2): normalised camera coordinates."""
    return np.stack(_slopes(points_px, intrinsics), axis=-1)


def _slopes(points_px: NDArray, intrinsics: Intrinsics) -> tuple[NDArray, NDArray]:
    x = (points_px[..., 0] - intrinsics.cx) / intrinsics.fx
    y = (points_px[..., 1] - intrinsics.cy) / intrinsics.fy
    return undistorted(x, y, intrinsics.distortion, intrinsics.lens_model) if intrinsics.distortion else (x, y)


def undistorted_side_px(center_px: tuple[float, float], side_px: float, intrinsics: Intrinsics) -> float:
    """Side of a square as large as what the square around `center_px` (pixels) shows would be without distortion.

    Measured on the inner half: a crop's corners may lie outside the picture, where no calibration holds.
    """
    if not intrinsics.distortion:
        return side_px
    corners_px = np.array(center_px) + side_px / 4 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    diagonals = rays(corners_px[2:], intrinsics) - rays(corners_px[:2], intrinsics)
    area = abs(diagonals[0, 0] * diagonals[1, 1] - diagonals[0, 1] * diagonals[1, 0]) / 2
    return 2.0 * float(np.sqrt(area * intrinsics.fx * intrinsics.fy))


def rootnet_k(box_side_px: float | NDArray, fx: float | NDArray, fy: float | NDArray) -> float | NDArray:
    """Distance measure k in mm of a square box, `sqrt(A_real fx fy / A_box)` (RootNet, Moon et al. 2019, eq. 1).

    `box_side_px` is the side of the box in pixels of the original picture; absolute depth = gamma * k.
    """
    return np.sqrt(ROOTNET_AREA_MM2 * fx * fy) / box_side_px

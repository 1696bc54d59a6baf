"""The pinhole camera: project, back-project, and RootNet's distance measure k (numpy only; any thread).

Camera frame as in OpenCV: x right, y down, z forward, millimetres. Pixel (0, 0) is the centre of the top left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROOTNET_AREA_MM2 = 300.0 * 300.0
"""A_real of RootNet for hands: the real area that the square box of a hand is taken to cover."""


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels of the picture they belong to."""

    fx: float
    fy: float
    cx: float
    cy: float

    def as_array(self) -> NDArray[np.float64]:
        """(4,) fx, fy, cx, cy."""
        return np.array([self.fx, self.fy, self.cx, self.cy])


def project(points_cam_mm: NDArray, intrinsics: Intrinsics) -> NDArray:
    """Camera space (..., 3) mm to pixels (..., 2). Points need a positive depth."""
    z = points_cam_mm[..., 2]
    x = intrinsics.fx * points_cam_mm[..., 0] / z + intrinsics.cx
    y = intrinsics.fy * points_cam_mm[..., 1] / z + intrinsics.cy
    return np.stack([x, y], axis=-1)


def backproject(points_px: NDArray, depth_mm: NDArray, intrinsics: Intrinsics) -> NDArray:
    """Pixels (..., 2) with depths (...) mm to camera space (..., 3) mm."""
    x = (points_px[..., 0] - intrinsics.cx) / intrinsics.fx * depth_mm
    y = (points_px[..., 1] - intrinsics.cy) / intrinsics.fy * depth_mm
    return np.stack([x, y, depth_mm], axis=-1)


def rootnet_k(box_side_px: float | NDArray, fx: float | NDArray, fy: float | NDArray) -> float | NDArray:
    """Distance measure k in mm of a square box, `sqrt(A_real fx fy / A_box)` (RootNet, Moon et al. 2019, eq. 1).

    `box_side_px` is the side of the box in pixels of the original picture; absolute depth = gamma * k.
    """
    return np.sqrt(ROOTNET_AREA_MM2 * fx * fy) / box_side_px

"""What a lens does to normalised coordinates, and back, by either of OpenCV's models (any thread).

"pinhole", of 4, 5, 8, 12 or 14 coefficients: k1, k2, p1, p2[, k3[, k4, k5, k6[, s1, s2, s3, s4[, tx, ty]]]], radial,
tangential, thin prism and tilt. "fisheye", of 4: `engines.geometry.fisheye`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engines.geometry import fisheye

LensModel = Literal["pinhole", "fisheye"]
LENS_MODELS: Final[tuple[LensModel, ...]] = get_args(LensModel)
COUNTS: Final = (4, 5, 8, 12, 14)
"""How many coefficients OpenCV's pinhole model takes; most lenses are well described by 5."""
MOST: Final = COUNTS[-1]
_STEPS: Final = 40
_STEP_IS_SMALL: Final = 1.0e-10
_CLOSE: Final = 1.0e-3
"""A point is undistorted if distorting it again comes this near, half a pixel of a webcam's picture."""
_IDENTITY: Final = np.eye(3)


def distorted(
    x: NDArray, y: NDArray, coefficients: Sequence[float], model: LensModel = "pinhole"
) -> tuple[NDArray, NDArray]:
    """Normalised coordinates x, y (same shape) as the lens shows them."""
    if model == "fisheye":
        return fisheye.distorted(x, y, coefficients)
    points = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 1, 3).astype(np.float64)
    if not len(points):
        return x, y
    import cv2  # 30 MB, which a process without a lens, such as the 3D window's, does without

    shown, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), _IDENTITY, np.array(coefficients))
    return shown[:, 0, 0].reshape(x.shape), shown[:, 0, 1].reshape(x.shape)


def undistorted(
    x: NDArray, y: NDArray, coefficients: Sequence[float], model: LensModel = "pinhole"
) -> tuple[NDArray, NDArray]:
    """The inverse of `distorted`.

    Far outside the picture the pinhole model may have no inverse: such a point stays where the lens shows it.
    """
    if model == "fisheye":
        return fisheye.undistorted(x, y, coefficients)
    points = np.stack([x, y], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    if not len(points):
        return x, y
    import cv2

    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _STEPS, _STEP_IS_SMALL)
    found = cv2.undistortPointsIter(points, _IDENTITY, np.array(coefficients), None, None, until)[:, 0]
    again = np.stack(distorted(found[:, 0], found[:, 1], coefficients), axis=-1)
    good = (np.abs(again - points[:, 0]) < _CLOSE).all(axis=-1, keepdims=True)  # False for NaN too
    found = np.where(good, found, points[:, 0])
    return found[:, 0].reshape(x.shape), found[:, 1].reshape(x.shape)


def trimmed(coefficients: Sequence[float], model: LensModel = "pinhole") -> tuple[float, ...]:
    """The fewest coefficients that say the same; none for a lens without distortion. A fisheye always has four."""
    values = tuple(float(v) for v in coefficients)
    if model == "fisheye":
        return values[: fisheye.COUNT]
    used = max((i + 1 for i, v in enumerate(values) if v != 0), default=0)
    count = next((c for c in COUNTS if c >= used), len(values)) if used else 0
    return (*values, *(0.0,) * MOST)[:count]

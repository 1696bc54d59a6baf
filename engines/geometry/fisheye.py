"""OpenCV's fisheye model, ROS's "equidistant", Kannala and Brandt's: r = t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8).

t is the angle off the axis, r the distance from the principal point in focal lengths (Kannala and Brandt, PAMI 2006).
Normalised coordinates x, y are those of the plane z = 1, which a line of sight across the axis never meets: angles are
taken up to `WIDEST_DEG`, and what lies further out as if it lay there. Any thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

COUNT: Final = 4
WIDEST_DEG: Final = 85.0
_KNOTS: Final = 512
_NEWTON_STEPS: Final = 4

Floats = NDArray[np.float64]


def distorted(x: NDArray, y: NDArray, coefficients: Sequence[float]) -> tuple[Floats, Floats]:
    """Normalised coordinates x, y (same shape) as the lens shows them."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    slope = np.asarray(np.hypot(x, y))
    shown = radius(np.minimum(np.arctan(slope), widest(tuple(coefficients))[0]), coefficients)
    factor = np.divide(shown, slope, out=np.ones_like(slope), where=slope > 0)
    return x * factor, y * factor


def undistorted(x: NDArray, y: NDArray, coefficients: Sequence[float]) -> tuple[Floats, Floats]:
    """The inverse of `distorted`."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    shown = np.hypot(x, y)
    slope = np.tan(_angle(shown, tuple(coefficients)))
    factor = np.divide(slope, shown, out=np.ones_like(shown), where=shown > 0)
    return x * factor, y * factor


def radius(angle_rad: Floats, coefficients: Sequence[float]) -> Floats:
    """R of t."""
    square = angle_rad**2
    k1, k2, k3, k4 = coefficients
    r: Floats = angle_rad * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
    return r


def _growth(angle_rad: Floats, coefficients: Sequence[float]) -> Floats:
    """How fast r grows with t."""
    square = angle_rad**2
    k1, k2, k3, k4 = coefficients
    growth: Floats = 1.0 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))
    return growth


@lru_cache(maxsize=16)
def widest(coefficients: tuple[float, ...]) -> tuple[float, float]:
    """The largest angle (rad) up to which r grows, at most `WIDEST_DEG`, and its r."""
    angles, radii = _table(coefficients)
    return float(angles[-1]), float(radii[-1])


@lru_cache(maxsize=16)
def _table(coefficients: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Angles and their r, as far as r grows."""
    angles: Floats = np.linspace(0.0, np.radians(WIDEST_DEG), _KNOTS)
    radii = radius(angles, coefficients)
    folded = np.flatnonzero(~(np.diff(radii) > 0))  # not: some number of NaN is no growth
    end = folded[0] + 1 if len(folded) else _KNOTS
    return angles[:end], radii[:end]


def _angle(shown: Floats, coefficients: tuple[float, ...]) -> Floats:
    """T of r: from the table, then Newton's way."""
    angles, radii = _table(coefficients)
    shown = np.minimum(shown, radii[-1])
    angle: Floats = np.interp(shown, radii, angles)
    for _ in range(_NEWTON_STEPS):
        step = (radius(angle, coefficients) - shown) / np.maximum(_growth(angle, coefficients), 1e-3)
        angle = np.clip(angle - step, 0.0, angles[-1])
    return angle

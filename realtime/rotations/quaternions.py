"""Unit quaternions x, y, z, w, any number at a time (numpy only; any thread).

SciPy's `Rotation` takes several times as long for the few of one frame. A quaternion and its negative are one rotation.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

IDENTITY: Final = (0.0, 0.0, 0.0, 1.0)
_TINY: Final = 1e-12
_CONJUGATE: Final = np.array([-1.0, -1.0, -1.0, 1.0])


def from_matrices(matrices: NDArray) -> Floats:
    """(..., 3, 3) rotations -> (..., 4), by the largest of the four components (Shepperd 1978)."""
    m = np.asarray(matrices, np.float64)
    rows = np.empty((*m.shape[:-2], 4, 4))  # four times each product of two components
    a, b, c = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    rows[..., 0, 0], rows[..., 1, 1] = 1.0 + a - b - c, 1.0 - a + b - c
    rows[..., 2, 2], rows[..., 3, 3] = 1.0 - a - b + c, 1.0 + a + b + c
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        rows[..., i, j] = rows[..., j, i] = m[..., j, i] + m[..., i, j]
        rows[..., i, 3] = rows[..., 3, i] = m[..., k, j] - m[..., j, k]
    flat = rows.reshape(-1, 4, 4)
    largest = flat.reshape(-1, 16)[:, ::5].argmax(axis=-1)
    return np.asarray(unit(flat[np.arange(len(flat)), largest]), np.float64).reshape(rows.shape[:-1])


def matrices(quaternions: NDArray) -> Floats:
    """(..., 4) -> (..., 3, 3) rotations."""
    x, y, z, w = np.moveaxis(np.asarray(quaternions, np.float64), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def times(a: NDArray, b: NDArray) -> Floats:
    """Products (..., 4): first b, then a, as a_from_b and b_from_c make a_from_c."""
    ax, ay, az, aw = np.moveaxis(np.asarray(a, np.float64), -1, 0)
    bx, by, bz, bw = np.moveaxis(np.asarray(b, np.float64), -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def inverse(quaternions: NDArray) -> Floats:
    """(..., 4) the rotations back."""
    return np.asarray(quaternions * _CONJUGATE, np.float64)


def turned(quaternions: NDArray, vectors: NDArray) -> Floats:
    """Vectors (..., 3) turned by (..., 4)."""
    return np.asarray((matrices(quaternions) @ np.asarray(vectors)[..., None])[..., 0], np.float64)


def angle_deg(a: NDArray, b: NDArray) -> Floats:
    """(...) degrees, 0 to 180, between the rotations a and b (..., 4)."""
    apart = inverse(a)
    apart = times(apart, b)
    return np.degrees(2 * np.arctan2(np.linalg.norm(apart[..., :3], axis=-1), np.abs(apart[..., 3])))


def square_to(vectors: NDArray, axes: NDArray) -> Floats:
    """The part of vectors (..., 3) at right angles to unit axes (..., 3), at length 1."""
    return np.asarray(unit(vectors - (vectors * axes).sum(axis=-1, keepdims=True) * axes), np.float64)


def unit(vectors: NDArray) -> NDArray:
    """Vectors (..., n) at length 1; one without length stays near zero."""
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True)), _TINY)

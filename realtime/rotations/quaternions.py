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


def _products() -> Floats:
    """(9, 16): a rotation's numbers, row by row, to four times the products of two components each, squares less 1."""
    found = np.zeros((3, 3, 4, 4))
    for i in range(3):
        for k in range(4):
            found[i, i, k, k] = 1.0 if k in (i, 3) else -1.0
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        found[j, i, [i, j], [j, i]] = found[i, j, [i, j], [j, i]] = 1.0
        found[k, j, [i, 3], [3, i]], found[j, k, [i, 3], [3, i]] = 1.0, -1.0
    return found.reshape(9, 16)


_PRODUCTS: Final = _products()
_PRODUCTS_OF_NONE: Final = np.eye(4).ravel()


def from_matrices(matrices: NDArray) -> Floats:
    """(..., 3, 3) rotations -> (..., 4), by the largest of the four components (Shepperd 1978)."""
    m = np.asarray(matrices, np.float64)
    rows = m.reshape(-1, 9) @ _PRODUCTS + _PRODUCTS_OF_NONE
    largest = rows[:, ::5].argmax(axis=-1)
    found = unit(rows.reshape(-1, 4, 4)[np.arange(len(rows)), largest])
    return np.asarray(found, np.float64).reshape(*m.shape[:-2], 4)


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


def between(a: NDArray, b: NDArray, share: NDArray) -> Floats:
    """Unit quaternions on the short way from a to b (..., 4), `share` (..., 1) of it: interpolated and normalised."""
    nearer = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
    return unit(a + (nearer - a) * share)


def square_to(vectors: NDArray, axes: NDArray) -> Floats:
    """The part of vectors (..., 3) at right angles to unit axes (..., 3), at length 1."""
    return np.asarray(unit(vectors - (vectors * axes).sum(axis=-1, keepdims=True) * axes), np.float64)


def unit(vectors: NDArray) -> NDArray:
    """Vectors (..., n) at length 1; one without length stays near zero."""
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True)), _TINY)

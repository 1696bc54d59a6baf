"""Points from two views, and how well all views agree with them: the hypotheses of RANSAC (numpy; any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from training.annotation.cameras.camera import Camera

Floats = NDArray[np.float64]


def view_pairs(views: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(P, 2) all pairs of views, or `most` of them drawn at random."""
    pairs = np.array(list(combinations(range(views), 2)), np.int64).reshape(-1, 2)
    return pairs if len(pairs) <= most else pairs[np.sort(rng.choice(len(pairs), most, replace=False))]


def midpoints(first: Camera, second: Camera, sights_a: NDArray, sights_b: NDArray) -> Floats:
    """Where two lines of sight come closest, (..., 3) world mm, from sights (..., 2) of both; NaN for parallel ones."""
    a, b = _directions(first, sights_a), _directions(second, sights_b)
    between = second.position_mm - first.position_mm
    aa, bb, ab = (a * a).sum(-1), (b * b).sum(-1), (a * b).sum(-1)
    da, db = a @ between, b @ between
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = aa * bb - ab * ab
        determinant = np.where(determinant > 1e-9 * aa * bb, determinant, np.nan)
        along_a = (da * bb - db * ab) / determinant
        along_b = (da * ab - db * aa) / determinant
    on_a = first.position_mm + along_a[..., None] * a
    on_b = second.position_mm + along_b[..., None] * b
    return np.asarray((on_a + on_b) / 2)


def deviations(rig: Sequence[Camera], points_mm: NDArray, sights: NDArray, sigma_px: NDArray) -> Floats:
    """How many sigmas each view's sight is from points, (..., V, J).

    `points_mm` (..., J, 3), `sights` (..., V, J, 2), `sigma_px` (..., V, J). Measured without the lens's distortion,
    which is close enough to tell agreement. NaN where a view saw nothing; infinite behind a camera.
    """
    columns = []
    for view, camera in enumerate(rig):
        before = camera.in_camera(points_mm)
        depth = before[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            off = before[..., :2] / depth[..., None] - sights[..., view, :, :]
        off_px = np.hypot(off[..., 0] * camera.intrinsics.fx, off[..., 1] * camera.intrinsics.fy)
        off_px = np.where(depth > 1.0, off_px, np.inf)
        columns.append(np.where(np.isnan(sights[..., view, :, 0]), np.nan, off_px / sigma_px[..., view, :]))
    return np.stack(columns, axis=-2)


def _directions(camera: Camera, sights: NDArray) -> Floats:
    """(..., 3) of lines of sight in the world; not of unit length."""
    before = np.concatenate([sights, np.ones((*sights.shape[:-1], 1))], axis=-1)
    return np.asarray(before @ camera.camera_from_world)

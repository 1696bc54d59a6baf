"""Joints in space from views of which some are wrong: RANSAC over pairs of views, joint by joint (numpy; any thread).

Each pair of views gives a point; the one with the least truncated cost over all views wins (MSAC: Torr and Zisserman,
2000). Views within `INLIER` sigmas of it are its support. Pairs that look along nearly the same line say little of
distance and are not asked.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.annotation.cameras.camera import Camera
from training.annotation.triangulation.observations import Observations
from training.annotation.triangulation.pairs import deviations, midpoints, view_pairs

INLIER: Final = 3.0
"""A view that is right is within so many sigmas of a joint in 99 of 100 cases."""
MOST_PAIRS: Final = 30
_LEAST_ANGLE: Final = np.radians(3.0)

Floats = NDArray[np.float64]


def best_points(seen: Observations, seed: int = 0) -> tuple[Floats, NDArray[np.bool_]]:
    """(M, 42, 3) world mm, NaN where no two views agree on anything, and (M, V, 42) which views support them."""
    moments = len(seen.joints_px)
    least = np.full((moments, 42), np.inf)
    points = np.full((moments, 42, 3), np.nan)
    support = np.zeros(seen.sigma_px.shape, bool)
    for a, b in view_pairs(len(seen.rig), MOST_PAIRS, np.random.default_rng(seed)):
        guess = midpoints(seen.rig[a], seen.rig[b], seen.sights[:, a], seen.sights[:, b])
        guess = np.where((_angle(seen.rig[a], seen.rig[b], guess) > _LEAST_ANGLE)[..., None], guess, np.nan)
        if not np.isfinite(guess).any():
            continue
        off = deviations(seen.rig, guess, seen.sights, seen.sigma_px)
        with np.errstate(invalid="ignore"):
            cost = np.where(np.isnan(off), 0.0, np.minimum(off, INLIER) ** 2).sum(axis=1)
            cost = np.where(np.isfinite(guess[..., 0]), cost, np.inf)
            better = cost < least
            least = np.where(better, cost, least)
            points = np.where(better[..., None], guess, points)
            support = np.where(better[:, None], off < INLIER, support)
    return points, support


def _angle(first: Camera, second: Camera, points_mm: NDArray) -> Floats:
    """(...) between the lines of sight of two cameras to points (..., 3), radians; 0 for no point."""
    a, b = points_mm - first.position_mm, points_mm - second.position_mm
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
        return np.asarray(np.nan_to_num(np.arccos(np.clip(cosine, -1, 1))))


def widest_angle(seen: Observations, points_mm: NDArray, used: NDArray[np.bool_]) -> Floats:
    """(M, 42) the largest angle at which two of the used views (M, V, 42) see a joint, radians."""
    directions = np.stack([points_mm - camera.position_mm for camera in seen.rig], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    widest = np.zeros(points_mm.shape[:2])
    for a in range(len(seen.rig)):
        for b in range(a + 1, len(seen.rig)):
            both = used[:, a] & used[:, b]
            cosine = np.where(both, (directions[:, a] * directions[:, b]).sum(-1), 1.0)
            widest = np.maximum(widest, np.arccos(np.clip(np.nan_to_num(cosine, nan=1.0), -1, 1)))
    return widest

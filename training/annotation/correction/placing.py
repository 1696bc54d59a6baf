"""A joint from marks in two views or more, and where a mark in one view can lie in another (numpy; any thread)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.annotation.cameras.camera import Camera, Rig
from training.annotation.triangulation.pairs import midpoints

MARK_SIGMA_PX: Final = 1.5
"""How exactly a person points."""
_STEPS: Final = 10
_REACH_MM: Final = (120.0, 4000.0)
"""Depths over which an epipolar line is drawn."""
_LINE_POINTS: Final = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placed:
    """A joint in space."""

    joint_mm: Floats
    """(3,)."""
    sigma_mm: float
    error_px: dict[int, float]
    """Of each marked view."""


def place_joint(rig: Rig, marks: Mapping[int, Floats]) -> Placed | None:
    """The point that fits marks (2,) px by view best; None for fewer than two, or parallel lines of sight."""
    views = sorted(marks)
    if len(views) < 2:
        return None
    sights = {v: rig[v].sights(marks[v]) for v in views}
    guesses = [midpoints(rig[a], rig[b], sights[a], sights[b]) for a, b in combinations(views, 2)]
    guesses = [guess for guess in guesses if np.isfinite(guess).all()]
    if not guesses:
        return None
    point, normal = np.mean(guesses, axis=0), np.eye(3)
    for _ in range(_STEPS):
        normal, gradient = np.zeros((3, 3)), np.zeros(3)
        for v in views:
            pixels, slopes = rig[v].project_with_slopes(point)
            if not np.isfinite(pixels).all():
                return None
            normal += slopes.T @ slopes
            gradient += slopes.T @ (pixels - marks[v])
        point = point - np.linalg.solve(normal + 1e-12 * np.eye(3), gradient)
    errors = {v: float(np.linalg.norm(rig[v].project(point) - marks[v])) for v in views}
    if not all(np.isfinite(error) for error in errors.values()):
        return None
    sigma = MARK_SIGMA_PX * float(np.sqrt(np.trace(np.linalg.inv(normal + 1e-12 * np.eye(3)))))
    return Placed(point, sigma, errors)


def epipolar_line(first: Camera, mark_px: Floats, second: Camera) -> Floats:
    """(N, 2) px in the second camera of all that lies behind a mark of the first; bent where the lens bends it.

    Points outside the picture are left out, so it may be empty.
    """
    depths = np.geomspace(*_REACH_MM, _LINE_POINTS)
    before = np.append(first.sights(mark_px), 1.0) * depths[:, None]
    world = (before - first.translation_mm) @ first.camera_from_world
    pixels = second.project(world)
    margin = 0.5 * np.array(second.size_px)
    with np.errstate(invalid="ignore"):
        near = ((pixels > -margin) & (pixels < np.array(second.size_px) + margin)).all(axis=-1)
    return pixels[near]

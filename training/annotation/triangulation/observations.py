"""What all views saw at all moments, side by side: the input of triangulation (numpy; any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from training.annotation.cameras.camera import Rig
from training.annotation.detection.detections import Detections

LEAST_SIGMA_PX = 0.7
"""No detector is surer than this; a mark by hand is about as sure."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observations:
    """M moments, V views, hands as each view names them: right in rows 0-20, left in 21-41; NaN: not seen."""

    rig: Rig
    joints_px: Floats
    """(M, V, 42, 2)."""
    sigma_px: Floats
    """(M, V, 42)."""
    sights: Floats
    """(M, V, 42, 2) lines of sight through them at z = 1 of their camera, lens undone."""
    probability: Floats
    """(M, V, 2) that right and left hand are there; 0 where the view has no picture."""

    def of_views(self, views: Sequence[int]) -> Observations:
        """The same from some cameras only."""
        at = list(views)
        rows = (self.joints_px[:, at], self.sigma_px[:, at], self.sights[:, at], self.probability[:, at])
        return Observations(tuple(self.rig[v] for v in at), *rows)

    def of_moments(self, moments: NDArray) -> Observations:
        """The same at some moments only."""
        arrays = {name: value[moments] for name, value in vars(self).items() if name != "rig"}
        return replace(self, **arrays)


def observe(rig: Rig, detections: Sequence[Detections], frames: NDArray[np.int64]) -> Observations:
    """Detections (V of them) at the moments' frames (M, V); raises UserError if they are of other videos."""
    moments, views = frames.shape
    joints, sigma = np.full((moments, views, 42, 2), np.nan), np.full((moments, views, 42), np.nan)
    probability = np.zeros((moments, views, 2))
    for view, (camera, found) in enumerate(zip(rig, detections, strict=True)):
        there = frames[:, view] >= 0
        if there.any() and frames[:, view].max() >= len(found.joints_px):
            raise UserError(f"camera {camera.name}: its detections end before the recording does; run detect again")
        rows = frames[there, view]
        joints[there, view], sigma[there, view] = found.joints_px[rows], found.sigma_px[rows]
        probability[there, view] = found.probability[rows]
    sigma = np.maximum(sigma, LEAST_SIGMA_PX)
    return Observations(rig, joints, sigma, sights_of(rig, joints), probability)


def sights_of(rig: Rig, joints_px: NDArray) -> Floats:
    """Pixels (M, V, J, 2) -> lines of sight, the same shape."""
    sights = np.full(joints_px.shape, np.nan)
    for view, camera in enumerate(rig):
        seen = np.isfinite(joints_px[:, view]).all(axis=-1)
        sights[:, view][seen] = camera.sights(joints_px[:, view][seen])
    return sights

"""Errors of predicted hands against labelled ones (numpy). All take whole data sets, NaN where nothing is labelled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_distance(predicted: NDArray, truth: NDArray) -> float:
    """Mean Euclidean distance over all joints that are labelled, in the unit of the arguments (..., D)."""
    return float(np.nanmean(np.linalg.norm(predicted - truth, axis=-1)))


def share_under(predicted: NDArray, truth: NDArray, threshold: float) -> float:
    """Share of labelled joints (..., D) closer than `threshold`: PCK."""
    distance = np.linalg.norm(predicted - truth, axis=-1)
    return float(np.mean(distance[np.isfinite(distance)] < threshold))


def root_relative(joints: NDArray, wrist: int = 20) -> NDArray:
    """Joints (N, 21, 3) moved so that the wrist is the origin, as the released evaluation does."""
    return joints - joints[:, wrist : wrist + 1]


def procrustes_aligned(predicted: NDArray, truth: NDArray) -> NDArray:
    """(N, J, 3) predictions moved, turned and scaled onto the truth; least squares (Umeyama, 1991)."""
    aligned = np.empty_like(predicted)
    for i, (p, t) in enumerate(zip(predicted, truth, strict=True)):
        p0, t0 = p - p.mean(0), t - t.mean(0)
        u, s, vt = np.linalg.svd(p0.T @ t0)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = (u * sign) @ vt
        scale = (s * sign).sum() / max(float((p0**2).sum()), 1.0e-12)
        aligned[i] = scale * p0 @ rotation + t.mean(0)
    return aligned

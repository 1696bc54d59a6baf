"""Joints that fit all supporting views best, whole hands at once (numpy and OpenCV; any thread).

Damped Gauss-Newton on reprojection errors in the picture, the lens's distortion inside, weighted by each detection's
sigma and robust: a view counts the less the more it disagrees (Cauchy), since the views that misread a joint are few
and far off. (Huber's weights, which never let go, left 4 % more error on a rendered rig of eight views.) With
`lengths_mm` the bones of a hand are springs between its joints: soft, so that views that see well outvote them. All
hands are solved side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONE_CHILD, BONE_PARENT, BONES, JOINTS_PER_HAND
from training.annotation.triangulation.observations import Observations

_HUBER: Final = 1.5
_ITERATIONS: Final = 6
_DAMPING: Final = 1e-3
_LOOSE: Final = 1e-6
"""Information (1 / mm^2) that keeps a joint without views where it is."""
_FARTHEST_STEP_MM: Final = 60.0

Floats = NDArray[np.float64]


def refine(
    seen: Observations,
    points_mm: Floats,
    used: NDArray[np.bool_],
    lengths_mm: Floats | None = None,
    length_sigma_mm: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Points (M, 42, 3) moved to where the used views (M, V, 42) put them, and their standard deviations (M, 42).

    `lengths_mm` (2, 20) of the right and the left hand's bones with `length_sigma_mm` of the same shape; None leaves
    bones free. NaN points stay NaN.
    """
    moments = len(points_mm)
    hands = points_mm.reshape(moments * 2, JOINTS_PER_HAND, 3).copy()
    known = np.isfinite(hands).all(axis=-1)
    bones = None if lengths_mm is None or length_sigma_mm is None else _Bones(lengths_mm, length_sigma_mm, known)
    before = hands
    for _ in range(_ITERATIONS):
        before = hands
        normal, gradient = _views(seen, hands, used, _cauchy)
        if bones is not None:
            bones.add(hands, normal, gradient)
        diagonal = np.einsum("bii->bi", normal)  # a view
        diagonal[:] = diagonal + _DAMPING * diagonal + _LOOSE
        step = np.linalg.solve(normal, gradient[..., None])[..., 0].reshape(hands.shape)
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        hands = hands - step * np.minimum(1.0, _FARTHEST_STEP_MM / np.maximum(length, 1e-9))
    # What the views' sigmas imply, where only outliers count less: Cauchy's weights take half of what a view says that
    # is off by its own sigma, which finds better places and no worse ones.
    information, gradient = _views(seen, before, used, _huber)
    if bones is not None:
        bones.add(before, information, gradient)
    covariance = np.linalg.inv(information + _LOOSE * np.eye(63))
    variance = np.einsum("bii->bi", covariance).reshape(len(hands), JOINTS_PER_HAND, 3).sum(axis=-1)
    sigma = np.where(known, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    return hands.reshape(moments, 42, 3), sigma.reshape(moments, 42)


def reprojection_error(seen: Observations, points_mm: NDArray) -> Floats:
    """(M, V, 42) distance in pixels between what each view saw and where the points are in it; NaN: saw nothing."""
    errors = [
        np.linalg.norm(camera.project(points_mm) - seen.joints_px[:, view], axis=-1)
        for view, camera in enumerate(seen.rig)
    ]
    return np.stack(errors, axis=1)


def _cauchy(share: Floats) -> Floats:
    """Weights of what is off by so many sigmas."""
    return 1 / (1 + share**2)


def _huber(share: Floats) -> Floats:
    return np.minimum(1.0, _HUBER / np.maximum(share, 1e-9))


def _views(
    seen: Observations, hands: Floats, used: NDArray[np.bool_], weight_of: Callable[[Floats], Floats]
) -> tuple[Floats, Floats]:
    """Normal matrices (B, 63, 63) and gradients (B, 63) of the weighted reprojection errors."""
    points = hands.reshape(-1, 42, 3)
    blocks, pulls = np.zeros((*points.shape, 3)), np.zeros(points.shape)
    for view, camera in enumerate(seen.rig):
        pixels, slopes = camera.project_with_slopes(points)
        off = pixels - seen.joints_px[:, view]
        sigma = seen.sigma_px[:, view]
        there = used[:, view] & np.isfinite(off).all(axis=-1) & np.isfinite(sigma)
        off, slopes = np.where(there[..., None], off, 0.0), np.where(there[..., None, None], slopes, 0.0)
        sigma = np.where(there, sigma, 1.0)
        share = np.linalg.norm(off, axis=-1) / sigma
        weight = there * weight_of(share) / sigma**2
        weighted = slopes * weight[..., None, None]
        blocks += np.einsum("mjki,mjkl->mjil", weighted, slopes)
        pulls += np.einsum("mjki,mjk->mji", weighted, off)
    normal = np.zeros((len(hands), JOINTS_PER_HAND, 3, JOINTS_PER_HAND, 3))
    joints = np.arange(JOINTS_PER_HAND)
    normal[:, joints, :, joints, :] = blocks.reshape(len(hands), JOINTS_PER_HAND, 3, 3).transpose(1, 0, 2, 3)
    return normal.reshape(len(hands), 63, 63), pulls.reshape(len(hands), 63)


class _Bones:
    """Springs of known length between a hand's joints."""

    def __init__(self, lengths_mm: Floats, sigma_mm: Floats, known: NDArray[np.bool_]) -> None:
        hands = len(known) // 2
        self._lengths = np.tile(lengths_mm, (hands, 1))
        self._sigma = np.tile(sigma_mm, (hands, 1))
        self._there = (
            known[:, BONE_CHILD] & known[:, BONE_PARENT] & np.isfinite(self._lengths) & np.isfinite(self._sigma)
        )

    def add(self, hands: Floats, normal: Floats, gradient: Floats) -> None:
        """Add what the bones want to normal matrices (B, 63, 63) and gradients (B, 63)."""
        bone = hands[:, BONE_CHILD] - hands[:, BONE_PARENT]
        length = np.maximum(np.linalg.norm(np.where(self._there[..., None], bone, 1.0), axis=-1), 1e-6)
        along = np.where(self._there[..., None], bone, 0.0) / length[..., None]
        sigma = np.where(self._there, self._sigma, 1.0)
        off = np.where(self._there, length - self._lengths, 0.0)
        weight = self._there * _huber(np.abs(off) / sigma) / sigma**2
        block = weight[..., None, None] * along[..., :, None] * along[..., None, :]
        pull = (weight * off)[..., None] * along
        square = normal.reshape(len(hands), JOINTS_PER_HAND, 3, JOINTS_PER_HAND, 3)
        pulls = gradient.reshape(len(hands), JOINTS_PER_HAND, 3)
        for k, (child, parent) in enumerate(BONES):
            square[:, child, :, child] += block[:, k]
            square[:, parent, :, parent] += block[:, k]
            square[:, child, :, parent] -= block[:, k]
            square[:, parent, :, child] -= block[:, k]
            pulls[:, child] += pull[:, k]
            pulls[:, parent] -= pull[:, k]

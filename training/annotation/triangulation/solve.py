"""From what all views saw to hands in space: assign, RANSAC, refine, bones, and what is not to be trusted (numpy)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from engines.skeleton import BONES, HAND_SLICES, SIDES
from training.annotation.triangulation.assignment import Assigned, assign
from training.annotation.triangulation.delays import without_delays
from training.annotation.triangulation.hands import (
    ACCEPTED,
    BONE,
    DISAGREE,
    MACHINE,
    NARROW,
    NOT_SEEN,
    ONE_VIEW,
    UNSURE,
    Hands,
)
from training.annotation.triangulation.observations import Observations
from training.annotation.triangulation.ransac import INLIER, best_points, widest_angle
from training.annotation.triangulation.refine import refine, reprojection_error
from training.annotation.triangulation.robust import known_median, robust_deviation

BONE_SIGMA_MM: Final = 3.0
"""How much a bone's length scatters with where a detector puts its ends; the recording's own spread if that is more."""
COMMON: Final = 0.1
"""Correlation of the views' errors: a finger that a detector bends wrongly in one view it bends wrongly in others, and
no number of views averages that away. Measured on rendered rigs of 4 to 16 views, where errors then are as large as
the sigmas say."""
MOST_SIGMA_MM: Final = 10.0
"""A joint less sure than this is no label."""
_NARROW: Final = np.radians(8.0)
_FEWEST_BONES: Final = 5
_OTHERS_HAND: Final = 0.08
"""Hands that differ by more than this share are not of one person."""
_BONE_OFF: Final = 5.0
"""A bone is wrong if it is so many of its sigmas too long or too short."""
_MIDDLES: Final = np.array(
    [19.0, 24, 40, 46] + [23, 24, 41, 88] + [24, 28, 44, 86] + [24, 26, 41, 80] + [21, 20, 33, 76]
)
"""Rough lengths of an adult's bones, mm, in the order of `BONES`; shares of them fill in what is never seen well."""
_CHILD, _PARENT = (np.array(ends) for ends in zip(*BONES, strict=True))

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SolveSettings:
    """What can be asked for."""

    bones: bool = True
    """Bones of constant length as a soft prior."""
    smooth_s: float = 0.0
    """Deviation of a Gaussian over time; 0 leaves every moment to itself."""
    most_sigma_mm: float = MOST_SIGMA_MM
    seed: int = 0
    delays_s: tuple[float, ...] = ()
    """By how much each camera is late; empty for none."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Hands, and what they were made from."""

    hands: Hands
    assigned: Assigned
    lengths_mm: Floats
    """(2, 20) median bones of the right and the left hand, NaN where they are not known."""
    length_spread_mm: Floats
    """(2, 20) robust deviation of them over the recording."""


def solve(
    seen: Observations,
    t_s: Floats,
    settings: SolveSettings = SolveSettings(),
    lengths_mm: Floats | None = None,
) -> Solution:
    """Triangulate a recording; `lengths_mm` (2, 20) are bones known beforehand, else the recording's own medians."""
    if settings.delays_s:
        seen = without_delays(seen, t_s, settings.delays_s)
    assigned = assign(seen, settings.seed)
    named = assigned.seen
    points, used = best_points(named, settings.seed)
    points, sigma = refine(named, points, used)
    used = _supporting(named, points, used)
    points, sigma = refine(named, points, used)
    medians, spread = bone_statistics(np.where((sigma < settings.most_sigma_mm)[..., None], points, np.nan))
    lengths = _with_shares(alike_lengths(medians) if lengths_mm is None else lengths_mm)
    length_sigma = np.maximum(BONE_SIGMA_MM, np.nan_to_num(spread, nan=BONE_SIGMA_MM))
    if settings.bones and np.isfinite(lengths).any():
        points, sigma = refine(named, points, used, lengths, length_sigma)
        used = _supporting(named, points, used)
        points, sigma = refine(named, points, used, lengths, length_sigma)
    sigma = np.hypot(sigma, _common_sigma_mm(named, points, used))
    reason = _reasons(named, points, sigma, used, settings.most_sigma_mm)
    reason = _with_bones(reason, points, sigma, lengths, length_sigma)
    points = _smoothed(points, t_s, settings.smooth_s)
    hands = Hands(
        joints_mm=points,
        sigma_mm=sigma,
        reason=reason,
        error_px=reprojection_error(named, points).astype(np.float32),
        used=used,
        source=np.full(reason.shape, MACHINE, np.int8),
        t_s=t_s,
        delays_s=np.array(settings.delays_s or (0.0,) * len(seen.rig)),
    )
    medians, spread = bone_statistics(hands.labelled_mm)
    return Solution(hands, assigned, medians, spread)


def bone_statistics(joints_mm: Floats) -> tuple[Floats, Floats]:
    """Medians and robust deviations (2, 20) of the bones of joints (M, 42, 3); NaN where a bone was seen too rarely."""
    medians, spreads = np.full((2, len(BONES)), np.nan), np.full((2, len(BONES)), np.nan)
    for k, side in enumerate(SIDES):
        hand = joints_mm[:, HAND_SLICES[side]]
        lengths = np.linalg.norm(hand[:, _CHILD] - hand[:, _PARENT], axis=-1)
        known = np.isfinite(lengths).sum(axis=0) >= _FEWEST_BONES
        medians[k] = np.where(known, known_median(lengths, axis=0), np.nan)
        spreads[k] = np.where(known, robust_deviation(lengths, axis=0), np.nan)
    return medians, spreads


def alike_lengths(lengths_mm: Floats) -> Floats:
    """Lengths (2, 20) the same for both hands, as a person's are: what one hand's poses hide the other's may show.

    Hands that are of two people, told by their size, keep their own.
    """
    known = np.isfinite(lengths_mm).all(axis=0)
    if known.any() and abs(np.log(np.median(lengths_mm[0, known] / lengths_mm[1, known]))) > _OTHERS_HAND:
        return lengths_mm
    filled = np.where(np.isfinite(lengths_mm), lengths_mm, lengths_mm[::-1])
    return np.asarray((filled + filled[::-1]) / 2)


def _with_shares(lengths_mm: Floats) -> Floats:
    """Lengths with those of the other hand, or of a typical hand of that size, where one is not known."""
    filled = np.where(np.isfinite(lengths_mm), lengths_mm, lengths_mm[::-1])
    for row in filled:
        known = np.isfinite(row)
        if known.sum() >= len(BONES) // 2:
            row[~known] = _MIDDLES[~known] * np.median(row[known] / _MIDDLES[known])
    return filled


def _supporting(seen: Observations, points: Floats, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(M, V, 42) views within reach of the refined points; a joint never loses its last two by that."""
    with np.errstate(invalid="ignore"):
        near = reprojection_error(seen, points) < INLIER * seen.sigma_px
    enough = near.sum(axis=1, keepdims=True) >= 2
    return np.where(enough, near, used)


def _common_sigma_mm(seen: Observations, points: Floats, used: NDArray[np.bool_]) -> Floats:
    """(M, 42) the part of a joint's sigma that more views do not lessen: a share of what one usual view knows of it."""
    apart = [camera.in_camera(points)[..., 2] / camera.intrinsics.fx for camera in seen.rig]
    with np.errstate(invalid="ignore", divide="ignore"):
        information = np.where(used, 1.0 / (seen.sigma_px * np.stack(apart, axis=1)) ** 2, 0.0).sum(axis=1)
        one_view = np.sqrt(used.sum(axis=1) / information)
    return np.where(np.isfinite(one_view), np.sqrt(3 * COMMON) * one_view, 0.0)


def _reasons(
    seen: Observations, points: Floats, sigma: Floats, used: NDArray[np.bool_], most_sigma_mm: float
) -> NDArray[np.int8]:
    """(M, 42) the first thing that speaks against each joint."""
    saw = np.isfinite(seen.joints_px[..., 0]).sum(axis=1)
    with np.errstate(invalid="ignore"):
        agree = (reprojection_error(seen, points) < INLIER * seen.sigma_px) & used
        votes = agree.sum(axis=1)
        narrow = widest_angle(seen, points, used) < _NARROW
        unsure = ~(sigma < most_sigma_mm)
    reason = np.full(saw.shape, ACCEPTED, np.int8)
    for condition, name in (
        (unsure, UNSURE),
        (narrow, NARROW),
        ((votes < 2) | (2 * votes < saw), DISAGREE),
        (~np.isfinite(points[..., 0]), DISAGREE),
        (saw == 1, ONE_VIEW),
        (saw == 0, NOT_SEEN),
    ):
        reason[condition] = name
    return reason


def _with_bones(
    reason: NDArray[np.int8], points: Floats, sigma: Floats, lengths_mm: Floats, length_sigma: Floats
) -> NDArray[np.int8]:
    """Reject the less sure end of a bone that is far too long or short."""
    result = reason.copy()
    for k, side in enumerate(SIDES):
        rows = HAND_SLICES[side]
        hand, sure = points[:, rows], sigma[:, rows]
        off = np.abs(np.linalg.norm(hand[:, _CHILD] - hand[:, _PARENT], axis=-1) - lengths_mm[k])
        with np.errstate(invalid="ignore"):
            limit = _BONE_OFF * np.hypot(length_sigma[k], 0.5 * (sure[:, _CHILD] + sure[:, _PARENT]))
            wrong = off > limit
            worse = np.where(sure[:, _CHILD] >= sure[:, _PARENT], _CHILD, _PARENT)
        moment, bone = np.nonzero(wrong)
        joint = rows.start + worse[moment, bone]
        accepted = result[moment, joint] == ACCEPTED
        result[moment[accepted], joint[accepted]] = BONE
    return result


def _smoothed(points: Floats, t_s: Floats, deviation_s: float) -> Floats:
    """Gaussian over time within unbroken stretches of each joint."""
    if deviation_s <= 0 or len(points) < 3:
        return points
    step_s = float(np.median(np.diff(t_s)))
    result = points.copy()
    for joint in range(points.shape[1]):
        known = np.isfinite(points[:, joint, 0])
        edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(int), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            result[start:end, joint] = gaussian_filter1d(
                points[start:end, joint], deviation_s / step_s, axis=0, mode="nearest"
            )
    return result

"""How found hands move against how they truly moved: jitter of still and of moving hands, and lag (numpy and scipy).

Joints come as (F, 42, 3) of F frames at equal intervals, NaN where a hand was not found; the truth is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from engines.skeleton import HAND_SLICES, SIDES

STILL_MM_PER_S: Final = 20.0
"""A hand whose joints truly move slower than this, on average, is still: what a hand held up sways by."""
MOVING_MM_PER_S: Final = 100.0
"""From this mean speed on a hand moves; in between it counts for neither."""
LAG_RANGE_FRAMES: Final = (-4.0, 12.0)
"""Where the lag is looked for; found before it happened is possible only by chance."""
_COARSE_FRAMES: Final = 0.5
_LEAST_VELOCITIES: Final = 40
"""Joint velocities that a correlation needs at least: two frames of a hand."""


@dataclass(frozen=True)
class TemporalFigures:
    """Jitter is the mean length of the joints' second difference, in mm/frame^2; NaN where there was nothing."""

    jitter_still: float
    jitter_still_truth: float
    """The labels' own, in the same frames."""
    jitter_moving: float
    jitter_moving_truth: float
    lag_frames: float
    """Shift of the truth that best explains the found joints' velocities in camera space; positive: found late."""
    lag_ms: float
    lag_picture_frames: float
    """The same in the picture, where the filters are quicker than in depth."""
    lag_picture_ms: float
    still_frames: int
    """Hands times frames that the jitter of still hands is taken from."""
    moving_frames: int


def temporal_figures(
    found_mm: NDArray, truth_mm: NDArray, found_px: NDArray, truth_px: NDArray, t_s: NDArray
) -> TemporalFigures:
    """All figures of one clip: joints (F, 42, 3) mm and (F, 42, 2) px, time stamps (F,) at equal intervals."""
    step_s = float(np.median(np.diff(t_s)))
    still, moving = motion_classes(truth_mm, step_s)
    measured = np.isfinite(_by_hand(second_difference(found_mm))).all(axis=2)
    lag, lag_picture = lag_frames(found_mm, truth_mm), lag_frames(found_px, truth_px)
    return TemporalFigures(
        jitter_still=jitter(found_mm, still & measured),
        jitter_still_truth=jitter(truth_mm, still & measured),
        jitter_moving=jitter(found_mm, moving & measured),
        jitter_moving_truth=jitter(truth_mm, moving & measured),
        lag_frames=lag,
        lag_ms=lag * step_s * 1e3,
        lag_picture_frames=lag_picture,
        lag_picture_ms=lag_picture * step_s * 1e3,
        still_frames=int((still & measured).sum()),
        moving_frames=int((moving & measured).sum()),
    )


def second_difference(joints: NDArray) -> NDArray[np.float64]:
    """(F - 2, 42) length of x[t + 1] - 2 x[t] + x[t - 1] of joints (F, 42, D)."""
    return np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1)


def motion_classes(truth_mm: NDArray, step_s: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(F - 2, 2) each: whether right and left hand are still, and whether they move, around frames 1 .. F - 2.

    A hand is still if it is so in both intervals of the second difference, and moves if it does so in both.
    """
    speed = np.linalg.norm(np.diff(truth_mm, axis=0), axis=-1) / step_s
    mean = _by_hand(speed).mean(axis=2)
    slower, faster = np.minimum(mean[:-1], mean[1:]), np.maximum(mean[:-1], mean[1:])
    return faster <= STILL_MM_PER_S, slower >= MOVING_MM_PER_S


def jitter(joints_mm: NDArray, counted: NDArray[np.bool_]) -> float:
    """Mean second difference in mm/frame^2 over the joints of the hands in `counted` (F - 2, 2); NaN without any."""
    values = _by_hand(second_difference(joints_mm))[counted]
    return float(values.mean()) if values.size else float("nan")


def lag_frames(found: NDArray, truth: NDArray) -> float:
    """Frames by which found joints (F, 42, D) trail true ones, sub-frame; NaN if too little was found or nothing moved.

    Maximises the normalised cross-correlation of the joints' velocities (differences of neighbouring frames); between
    frames the truth is a cubic spline.
    """
    count = len(found)
    if count < 4:
        return float("nan")
    velocity = np.diff(found, axis=0)
    spline = CubicSpline(np.arange(count), truth, axis=0)
    # a truth from before the clip would have to be made up: only frames whose whole range of shifts lies in it
    first, last = int(np.ceil(LAG_RANGE_FRAMES[1])), count - 2 + int(np.floor(LAG_RANGE_FRAMES[0]))
    frames = np.arange(max(first, 0), last + 1)
    if not len(frames):
        return float("nan")
    velocity = velocity[frames]
    known = np.isfinite(velocity).all(axis=-1)
    ours, ends = velocity[known], np.append(frames, last + 1)
    power = (ours**2).sum()

    def correlation(shift: float) -> float:
        true = np.diff(spline(ends - shift), axis=0)[known]
        scale = np.sqrt((true**2).sum() * power)
        return float((true * ours).sum() / scale) if scale > 0 else float("nan")

    if known.sum() < _LEAST_VELOCITIES or not np.isfinite(correlation(0.0)):
        return float("nan")
    shifts = np.arange(LAG_RANGE_FRAMES[0], LAG_RANGE_FRAMES[1] + _COARSE_FRAMES / 2, _COARSE_FRAMES)
    best = float(shifts[int(np.argmax([correlation(float(shift)) for shift in shifts]))])
    bounds = (best - _COARSE_FRAMES, best + _COARSE_FRAMES)
    found_shift = minimize_scalar(lambda shift: -correlation(float(shift)), bounds=bounds, method="bounded")
    return float(found_shift.x)


def _by_hand(values: NDArray) -> NDArray:
    """(F, 42) to (F, 2, 21)."""
    return np.stack([values[:, HAND_SLICES[side]] for side in SIDES], axis=1)

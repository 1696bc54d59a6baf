"""Cameras that do not fit the others: badly calibrated, late, moved, mirrored or turned (numpy; any thread).

Each camera is judged against hands triangulated from the others. What its pictures show less where the others say the
joints are is its residual: a constant one is a wrong place or direction, one along the motion is a delay, one that
jumps is a camera that was pushed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import JOINTS_PER_HAND
from training.annotation.triangulation.assignment import assign
from training.annotation.triangulation.observations import Observations
from training.annotation.triangulation.ransac import best_points
from training.annotation.triangulation.refine import refine
from training.annotation.triangulation.robust import known_mean, known_median

_FEWEST_JOINTS: Final = 60
_WORSE: Final = 2.5
"""A camera stands out if its residual is so many times the others' median, and more than `_BAD_PX`."""
_BAD_PX: Final = 6.0
LATE_SHARE: Final = 0.25
"""Of a frame; a delay below that harms little."""
_EXPLAINED: Final = 0.15
"""A delay is believed if it explains this share of the residual."""
_JUMP_PX: Final = 5.0
_NEAR: Final = 0.5
"""A variant of the picture is believed if it leaves less than this share of the residual."""
_FEWEST_MOMENTS: Final = 8
_MANY: Final = 6
"""Of more cameras than this one alone moves the joints little: all are judged against the same hands."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CameraHealth:
    """One camera against the others; NaN where too little was seen."""

    name: str
    residual_px: float
    """Median distance of what it saw from where the others put it."""
    shift_px: tuple[float, float]
    """Median residual, right and down."""
    delay_ms: float
    """How much older its pictures are than the others'."""
    delay_explains: float
    """Share of the squared residual that the delay accounts for."""
    moved_at: int
    """Moment from which on it looks elsewhere; -1: it does not."""
    moved_px: float
    problem: str
    """One line that names what is wrong; empty if nothing is."""


def judge_cameras(seen: Observations, t_s: Floats) -> list[CameraHealth]:
    """All cameras of a recording; takes three or more to tell one from the others."""
    step_s = float(np.median(np.diff(t_s))) if len(t_s) > 1 else 1 / 30
    whole = _triangulated(seen) if len(seen.rig) > _MANY else None
    measured = [_measured(seen, view, t_s, whole) for view in range(len(seen.rig))]
    levels = np.array([m.residual_px for m in measured])
    result = []
    for view, own in enumerate(measured):
        others = known_median(np.delete(levels, view))
        stands_out = len(levels) > 2 and own.residual_px > max(_WORSE * float(others), _BAD_PX)
        result.append(_named(seen, view, own, step_s, stands_out))
    return result


@dataclass(frozen=True, eq=False)
class _Measured:
    residual_px: float
    shift_px: Floats
    delay_s: float
    explained: float
    moved_at: int
    moved_px: float
    joints_mm: Floats


def _measured(seen: Observations, view: int, t_s: Floats, whole: Floats | None) -> _Measured:
    joints = _of_others(seen, view) if whole is None else whole
    off = residuals(seen, view, joints)
    if np.isfinite(off[..., 0]).sum() < _FEWEST_JOINTS:
        return _Measured(np.nan, np.full(2, np.nan), np.nan, 0.0, -1, np.nan, joints)
    residual = float(known_median(np.linalg.norm(off, axis=-1)))
    shift = known_median(off.reshape(-1, 2), axis=0)
    speeds = _speeds(seen.rig[view].project(joints), t_s)
    delay, explained = _delay(off, speeds)
    at, jump = _jump(off + delay * speeds if explained > _EXPLAINED else off)  # a stop after a move is no jump
    return _Measured(residual, shift, delay, explained, at, jump, joints)


def _of_others(seen: Observations, view: int) -> Floats:
    """(M, 42, 3) hands from all cameras but one; from both if there are only two."""
    others = [v for v in range(len(seen.rig)) if v != view] if len(seen.rig) > 2 else [0, 1]
    return _triangulated(seen.of_views(others))


def _triangulated(seen: Observations) -> Floats:
    rest = assign(seen).seen
    points, used = best_points(rest)
    return refine(rest, points, used)[0]


def residuals(seen: Observations, view: int, joints_mm: Floats, pixels: Floats | None = None) -> Floats:
    """(M, 42, 2) px: what a view saw less where joints (M, 42, 3) are in it, whichever of its hands fits better."""
    own = (seen.joints_px[:, view] if pixels is None else pixels).reshape(-1, 2, JOINTS_PER_HAND, 2)
    there = seen.rig[view].project(joints_mm).reshape(-1, 2, JOINTS_PER_HAND, 2)
    straight, crossed = own - there, own[:, ::-1] - there
    sizes = [known_median(np.linalg.norm(off, axis=-1), axis=-1) for off in (straight, crossed)]
    with np.errstate(invalid="ignore"):
        cross = np.isnan(sizes[0]) | (sizes[1] < sizes[0])
    return np.where(cross[..., None, None], crossed, straight).reshape(-1, 42, 2)


def _speeds(pixels: Floats, t_s: Floats) -> Floats:
    """(M, 42, 2) px / s, central differences; NaN at the ends and beside gaps."""
    speeds = np.full(pixels.shape, np.nan)
    if len(t_s) > 2:
        speeds[1:-1] = (pixels[2:] - pixels[:-2]) / (t_s[2:] - t_s[:-2])[:, None, None]
    return speeds


def _delay(off: Floats, speeds: Floats) -> tuple[float, float]:
    """Seconds by which the pictures are old, and the share of the residual which that explains (robust)."""
    use = np.isfinite(off).all(-1) & np.isfinite(speeds).all(-1)
    if use.sum() < _FEWEST_JOINTS:
        return float("nan"), 0.0
    r, v = off[use] - np.median(off[use], axis=0), speeds[use]
    weight = np.ones(len(r))
    delay, left = 0.0, np.linalg.norm(r, axis=-1)
    for _ in range(8):
        delay = -float((weight * (r * v).sum(-1)).sum() / max((weight * (v * v).sum(-1)).sum(), 1e-9))
        left = np.linalg.norm(r + delay * v, axis=-1)
        weight = np.minimum(1.0, 2 * np.median(left) / np.maximum(left, 1e-9))
    explained = 1 - float((weight * left**2).sum() / max((weight * (r * r).sum(-1)).sum(), 1e-9))
    return delay, explained


def _jump(off: Floats) -> tuple[int, float]:
    """The moment after which the residual is another one, and by how many pixels; -1 if there is none."""
    per_moment = known_median(off, axis=1)
    known = np.flatnonzero(np.isfinite(per_moment[:, 0]))
    least, at = np.inf, -1
    for k in range(_FEWEST_MOMENTS, len(known) - _FEWEST_MOMENTS + 1):
        parts = per_moment[known[:k]], per_moment[known[k:]]
        cost = sum(float(np.abs(part - np.median(part, axis=0)).sum()) for part in parts)
        if cost < least:
            least, at = cost, int(known[k])
    if at < 0:
        return -1, float("nan")
    before, after = per_moment[known[known < at]], per_moment[known[known >= at]]
    size = float(np.linalg.norm(np.median(after, axis=0) - np.median(before, axis=0)))
    scatter = sum(float(np.median(np.abs(part - np.median(part, axis=0)))) for part in (before, after))
    own = float(known_median(np.linalg.norm(off, axis=-1)))
    jumps = size > max(3.0 * scatter, 1.2 * own, _JUMP_PX)  # a detector's own bias changes with what hands do
    return (at if jumps else -1), size


def _named(seen: Observations, view: int, own: _Measured, step_s: float, stands_out: bool) -> CameraHealth:
    camera, problem = seen.rig[view], ""
    late = own.explained > _EXPLAINED and abs(own.delay_s) > LATE_SHARE * step_s
    if stands_out and (variant := _variant(seen, view, own)):
        problem = f"camera {camera.name}: its pictures are {variant}; record them as they were calibrated"
    elif own.moved_at >= 0 and len(seen.rig) > 2:
        problem = (
            f"camera {camera.name}: was moved at moment {own.moved_at} (looks {own.moved_px:.0f} px elsewhere from "
            "there on); calibrate again and cut the recording there"
        )
    elif late and len(seen.rig) > 2:
        word = "late" if own.delay_s > 0 else "early"
        late_ms = abs(own.delay_s) * 1e3
        problem = f"camera {camera.name}: is {late_ms:.0f} ms {word}; triangulate with --delays auto"
    elif stands_out:
        problem = (
            f"camera {camera.name}: is off by {own.residual_px:.0f} px (shift {own.shift_px[0]:+.0f}, "
            f"{own.shift_px[1]:+.0f}) where the others agree; calibrate it again"
        )
    return CameraHealth(
        camera.name,
        own.residual_px,
        (float(own.shift_px[0]), float(own.shift_px[1])),
        own.delay_s * 1e3,
        own.explained,
        own.moved_at,
        own.moved_px,
        problem,
    )


def _variant(seen: Observations, view: int, own: _Measured) -> str:
    """What was done to the pictures, if undoing it makes them fit; else nothing."""
    width, height = seen.rig[view].size_px
    x, y = seen.joints_px[:, view, :, 0], seen.joints_px[:, view, :, 1]
    ways = {
        "mirrored": (width - 1 - x, y),
        "upside down": (width - 1 - x, height - 1 - y),
        "mirrored top to bottom": (x, height - 1 - y),
    }
    for name, undone in ways.items():
        off = residuals(seen, view, own.joints_mm, np.stack(undone, axis=-1))
        if known_mean(np.minimum(np.linalg.norm(off, axis=-1), 5 * own.residual_px)) < _NEAR * own.residual_px:
            return name
    return ""

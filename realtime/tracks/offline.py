"""Smoothing of a whole recording, which may look ahead: no lag, gaps filled, one hand size (numpy, SciPy; any thread).

Takes tracks as the network gave them (the live filters open). What was measured well is kept apart from what was not,
as in `realtime.camera_space.smoothing`: where joints are in the picture, their depth relative to the wrist, and the
wrist's depth. Each becomes a smoothing spline, the best estimate of a smooth motion from past and future; in between,
the depths are made to agree with bones that keep their lengths (`realtime.camera_space.bone_lengths`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, backproject, project
from engines.skeleton import HAND_SLICES, SIDES, WRIST
from realtime.camera_space.bone_lengths import hand_length, keep_lengths, typical_lengths
from realtime.camera_space.closed_form import NEAREST_MM
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks, rotations_of

FILL_S: Final = 0.25
"""A hand that was away for no longer than this was there all the time; the motion between is filled in."""
_IMAGE_HZ: Final = 3.7
_RELATIVE_HZ: Final = 2.1
_WRIST_HZ: Final = 1.2
"""Where half of a motion's amplitude is left. Found on rendered clips; the optimum is flat over a factor of two."""
_FEWEST: Final = 5
"""A spline needs so many points; a shorter appearance stays as it was measured."""
_LEAST_WEIGHT: Final = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Stretch:
    """One hand from an appearance to its end: n frames in which it was seen, N with the gaps."""

    hand: int
    """0 right, 1 left."""
    seen: NDArray[np.int64]
    """(n,) rows of the tracks."""
    rows: NDArray[np.int64]
    """(N,) from the first to the last of them."""
    weight: Floats
    """(n,) share of the measurement in the spline."""
    joints_px: Floats
    """(N, 21, 2)."""
    depth_mm: Floats
    """(N, 21) distance along z."""


def smooth_offline(tracks: Tracks, hand_length_mm: float | None = None) -> Tracks:
    """The same frames, smoothed; hands filled into gaps have `root_depth_from` "filled", confidence and probability 0.

    Bone lengths are the medians over the recording, alike for both hands. With `hand_length_mm`, wrist to middle
    fingertip along the bones, everything is scaled so that they have it. `t_s` must increase.
    """
    intrinsics = tracks.intrinsics
    times_s = np.asarray(tracks.t_s)
    stretches = [_measured(tracks, stretch) for stretch in _stretches(tracks)]
    if not stretches:
        return tracks
    at_sight = [np.searchsorted(one.rows, one.seen) for one in stretches]
    seen_mm = [_in_space(one, intrinsics)[at] for one, at in zip(stretches, at_sight, strict=True)]
    lengths_mm = typical_lengths(np.concatenate(seen_mm))
    if hand_length_mm is not None:
        scale = hand_length_mm / hand_length(lengths_mm)
        lengths_mm = lengths_mm * scale
        stretches = [replace(one, depth_mm=one.depth_mm * scale) for one in stretches]
    fields: dict[str, Any] = {name: np.array(getattr(tracks, name)) for name in _CHANGED}
    for stretch in stretches:
        _put(fields, _with_lengths(stretch, lengths_mm, times_s, intrinsics), intrinsics)
    fields["joint_rotations"] = rotations_of(fields["joints_cam_mm"])
    return replace(tracks, **fields)


_CHANGED: Final = ("joints_cam_mm", "joints_px", "joint_confidence", "hand_probability", "root_depth_from")


def _stretches(tracks: Tracks) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Hand and rows in which it was seen, for every appearance that is long enough."""
    for hand in range(len(SIDES)):
        seen = np.flatnonzero(tracks.root_depth_from[:, hand])
        ends = np.flatnonzero(np.diff(tracks.t_s[seen]) > FILL_S) + 1
        yield from ((hand, rows) for rows in np.split(seen, ends) if len(rows) >= _FEWEST)


def _measured(tracks: Tracks, stretch: tuple[int, NDArray[np.int64]]) -> _Stretch:
    """The splines through what the network saw."""
    hand, seen = stretch
    joints = HAND_SLICES[SIDES[hand]]
    rows = np.arange(seen[0], seen[-1] + 1)
    confidence = tracks.joint_confidence[seen, joints].mean(axis=1).astype(np.float64)
    weight = np.maximum(confidence, _LEAST_WEIGHT)
    depth_mm = tracks.joints_cam_mm[seen, joints, 2].astype(np.float64)
    at_s, times_s = tracks.t_s[seen], tracks.t_s[rows]
    joints_px = _spline(at_s, tracks.joints_px[seen, joints], weight, _IMAGE_HZ, times_s)
    wrist_mm = _spline(at_s, depth_mm[:, [WRIST]], weight, _WRIST_HZ, times_s)
    relative_mm = _spline(at_s, depth_mm - depth_mm[:, [WRIST]], weight, _RELATIVE_HZ, times_s)
    return _Stretch(hand, seen, rows, weight, joints_px, np.maximum(wrist_mm + relative_mm, NEAREST_MM))


def _with_lengths(one: _Stretch, lengths_mm: Floats, times_s: Floats, intrinsics: Intrinsics) -> _Stretch:
    """Depths that agree with the bones' lengths, smoothed once more: each frame was solved by itself."""
    depth_mm = keep_lengths(one.joints_px, one.depth_mm, lengths_mm, intrinsics)
    wanted_s = times_s[one.rows]
    weight = np.interp(wanted_s, times_s[one.seen], one.weight)
    wrist_mm = _spline(wanted_s, depth_mm[:, [WRIST]], weight, _WRIST_HZ, wanted_s)
    relative_mm = _spline(wanted_s, depth_mm - depth_mm[:, [WRIST]], weight, _RELATIVE_HZ, wanted_s)
    return replace(one, depth_mm=np.maximum(wrist_mm + relative_mm, NEAREST_MM))


def _spline(at_s: Floats, values: NDArray, weight: Floats, cutoff_hz: float, wanted_s: Floats) -> Floats:
    """Values (n, ...) at `at_s` as smooth curves, at `wanted_s` (N, ...).

    A cubic smoothing spline of penalty L passes 1 / (1 + L (2 pi f)^4) of a frequency f where the weights are a
    density in time: so the cutoff does not depend on the frame rate.
    """
    from scipy.interpolate import make_smoothing_spline  # half of what a batch's process imports, and few smooth

    density = weight / weight.mean() * np.gradient(at_s)
    penalty = (2 * np.pi * cutoff_hz) ** -4.0
    columns = values.reshape(len(values), -1).astype(np.float64)
    scale = 1.0 / density.mean()  # the solver's pivots stay near 1
    curves = [make_smoothing_spline(at_s, column, density * scale, penalty * scale)(wanted_s) for column in columns.T]
    return np.stack(curves, axis=1).reshape(len(wanted_s), *values.shape[1:])


def _in_space(one: _Stretch, intrinsics: Intrinsics) -> Floats:
    return backproject(one.joints_px, one.depth_mm, intrinsics)


def _put(fields: dict[str, NDArray], one: _Stretch, intrinsics: Intrinsics) -> None:
    """Write a hand's stretch; what was not seen is marked."""
    joints = np.r_[HAND_SLICES[SIDES[one.hand]]]
    joints_mm = _in_space(one, intrinsics)
    fields["joints_cam_mm"][one.rows[:, None], joints] = joints_mm
    fields["joints_px"][one.rows[:, None], joints] = project(joints_mm, intrinsics)
    filled = np.setdiff1d(one.rows, one.seen)
    fields["joint_confidence"][filled[:, None], joints] = 0.0
    fields["hand_probability"][filled, one.hand] = 0.0
    fields["root_depth_from"][filled, one.hand] = ROOT_DEPTH_NAMES.index("filled")

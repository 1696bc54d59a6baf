"""Tracks at a steady rate, for formats without time stamps of their own (numpy; any thread).

As many frames come out as the recording has, give or take: neither frames in bursts nor pauses of hours multiply them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.tracks.schema import Tracks, rotations_of

LONGEST_PAUSE_S: Final = 2.0
"""A longer one becomes one of so much: nothing is known of what happened in it."""
USUAL_STEP_S: Final = 1 / 30
_BURST: Final = 8
"""Frames that come so many at a time are still told from a high rate."""
_STEADY: Final = 0.01
"""Time stamps that stray less than this share of a step count as steady."""

Times = NDArray[np.float64]


def at_steady_rate(tracks: Tracks) -> tuple[float, Tracks]:
    """Step in seconds, and tracks at that rate; joints lie between those nearest in time where the stamps stray."""
    if len(tracks) < 2:
        return USUAL_STEP_S, tracks
    step_s = usual_step_s(tracks.t_s)
    times_s = with_short_pauses(tracks.t_s)
    even_s = np.arange(round(times_s[-1] / step_s) + 1) * step_s
    if len(even_s) == len(tracks) and np.abs(even_s - times_s).max() < _STEADY * step_s:
        return step_s, tracks
    after = np.clip(np.searchsorted(times_s, even_s), 1, len(times_s) - 1)
    share = np.clip((even_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1]), 0.0, 1.0)[:, None, None]
    before, behind = tracks.joints_cam_mm[after - 1], tracks.joints_cam_mm[after]
    between = before + (behind - before) * share
    nearest = np.where(share < 0.5, before, behind)
    joints_mm = np.where(np.isnan(between), nearest, between)
    return step_s, replace(tracks, t_s=even_s, joints_cam_mm=joints_mm, joint_rotations=rotations_of(joints_mm))


def with_short_pauses(t_s: Times) -> Times:
    """Times (F,) from 0 on, F at least 1, in which no pause is longer than `LONGEST_PAUSE_S`, or than eight frames."""
    if len(t_s) < 2:
        return np.zeros(len(t_s))
    longest_s = max(LONGEST_PAUSE_S, _BURST * usual_step_s(t_s))
    return np.concatenate([[0.0], np.cumsum(np.minimum(np.diff(t_s), longest_s))])


def usual_step_s(t_s: Times) -> float:
    """Seconds between frames at times (F,) that advance, F at least 2: the median, or the mean of frames in bursts."""
    single_s = float(np.median(np.diff(t_s)))
    count = min(_BURST, len(t_s) - 1)
    several_s = float(np.median(t_s[count:] - t_s[:-count])) / count
    return single_s if single_s > several_s / 2 else several_s

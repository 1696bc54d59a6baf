"""Tracks at a steady rate, for formats without time stamps of their own (numpy; any thread).

As many frames come out as the recording has, give or take: neither frames in bursts nor pauses of hours multiply them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.tracks.schema import FRAME_FIELDS, Tracks, rotations_of

LONGEST_PAUSE_S: Final = 2.0
"""A longer one becomes one of so much: nothing is known of what happened in it."""
USUAL_STEP_S: Final = 1 / 30
_BURST: Final = 8
"""Frames that come so many at a time are still told from a high rate."""
_STEADY: Final = 0.01
"""Time stamps that stray less than this share of a step count as steady."""

Times = NDArray[np.float64]


def at_steady_rate(tracks: Tracks, step_s: float | None = None) -> tuple[float, Tracks]:
    """Step in seconds, the recording's own unless one is given, and tracks at that rate, from time 0 on.

    Where the stamps stray, joints lie between those nearest in time; all else, frame numbers too, is the nearest's.
    """
    if len(tracks) < 2:
        return step_s or USUAL_STEP_S, replace(tracks, t_s=np.zeros(len(tracks)))
    step_s = step_s or usual_step_s(tracks.t_s)
    times_s = with_short_pauses(tracks.t_s)
    even_s = np.arange(round(times_s[-1] / step_s) + 1) * step_s
    if len(even_s) == len(tracks) and np.abs(even_s - times_s).max() < _STEADY * step_s:
        return step_s, replace(tracks, t_s=even_s)
    after = np.clip(np.searchsorted(times_s, even_s), 1, len(times_s) - 1)
    share = np.clip((even_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1]), 0.0, 1.0)
    nearest = np.where(share < 0.5, after - 1, after)
    fields = {name: getattr(tracks, name)[nearest] for name in FRAME_FIELDS}
    for name in ("joints_cam_mm", "joints_px"):
        joints = getattr(tracks, name)
        between = joints[after - 1] + (joints[after] - joints[after - 1]) * share[:, None, None]
        fields[name] = np.where(np.isnan(between), fields[name], between).astype(np.float32)
    fields["joint_rotations"] = rotations_of(fields["joints_cam_mm"])
    return step_s, replace(tracks, **{**fields, "t_s": even_s})


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

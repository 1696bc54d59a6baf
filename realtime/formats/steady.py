"""Tracks at a steady rate, for formats without time stamps of their own (numpy; any thread).

As many frames come out as the recording has, give or take: neither frames in bursts nor pauses of hours multiply them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.rotations.hand_rotations import steady_signs
from realtime.rotations.quaternions import between
from realtime.tracks.schema import FRAME_FIELDS, Tracks

LONGEST_PAUSE_S: Final = 2.0
"""A longer one becomes one of so much: nothing is known of what happened in it."""
USUAL_STEP_S: Final = 1 / 30
_BURST: Final = 8
"""Frames that come so many at a time are still told from a high rate."""
_USUAL: Final = 0.9
"""Share of the steps that are no pauses; a burst's own, one in `_BURST`, are longer than the rest, too."""
_STEADY: Final = 0.01
"""Time stamps that stray less than this share of a step count as steady."""

Times = NDArray[np.float64]


def at_steady_rate(tracks: Tracks, step_s: float | None = None) -> tuple[float, Tracks]:
    """Step in seconds, the recording's own unless one is given, and tracks at that rate, from time 0 on.

    Where the stamps stray, joints and rotations lie between those nearest in time; all else, frame numbers too, is the
    nearest's.
    """
    if len(tracks) < 2:
        return step_s or USUAL_STEP_S, replace(tracks, t_s=np.zeros(len(tracks)))
    step_s = step_s or usual_step_s(tracks.t_s)
    times_s = with_short_pauses(tracks.t_s)
    even_s = np.arange(round(times_s[-1] / step_s) + 1) * step_s
    if len(even_s) == len(tracks) and np.abs(even_s - times_s).max() < _STEADY * step_s:
        return step_s, replace(tracks, t_s=even_s)
    after = np.clip(np.searchsorted(times_s, even_s), 1, len(times_s) - 1)
    steps_s = np.maximum(times_s[after] - times_s[after - 1], _STEADY * step_s)
    share = np.clip((even_s - times_s[after - 1]) / steps_s, 0.0, 1.0)
    nearest = np.where(share < 0.5, after - 1, after)
    fields = {name: getattr(tracks, name)[nearest] for name in FRAME_FIELDS}
    for name in ("joints_cam_mm", "joints_px"):
        joints = getattr(tracks, name)
        there = joints[after - 1] + (joints[after] - joints[after - 1]) * share[:, None, None]
        fields[name] = np.where(np.isnan(there), fields[name], there).astype(np.float32)
    turned = between(tracks.joint_rotations[after - 1], tracks.joint_rotations[after], share[:, None, None])
    turned = np.where(np.isnan(turned), fields["joint_rotations"], turned)
    fields["joint_rotations"] = steady_signs(turned).astype(np.float32)
    return step_s, replace(tracks, **{**fields, "t_s": even_s})


def with_short_pauses(t_s: Times) -> Times:
    """Times (F,) from 0 on, F at least 1, in which no pause is longer than `LONGEST_PAUSE_S`, or than eight frames."""
    if len(t_s) < 2:
        return np.zeros(len(t_s))
    longest_s = max(LONGEST_PAUSE_S, _BURST * usual_step_s(t_s))
    return np.concatenate([[0.0], np.cumsum(np.minimum(np.diff(t_s), longest_s))])


def usual_step_s(t_s: Times) -> float:
    """Seconds between frames at times (F,) in their order, F at least 2: the median, or the mean of frames in bursts.

    Pauses count as twice the longest usual step: in a short recording most spans of eight frames hold one. Where no
    time passes at all it is `USUAL_STEP_S`.
    """
    steps_s = np.diff(t_s)
    steps_s = np.minimum(steps_s, 2 * np.quantile(steps_s, _USUAL, method="higher"))
    single_s = float(np.median(steps_s))
    count, ends_s = min(_BURST, len(steps_s)), np.concatenate([[0.0], np.cumsum(steps_s)])
    several_s = float(np.median(ends_s[count:] - ends_s[:-count])) / count
    return (single_s if single_s > several_s / 2 else several_s) or USUAL_STEP_S

"""One followed hand: where it is, how fast it moves, which hand it is taken for (plain values; any thread).

All that fades does so by the clock and not by the frame: a camera may give 15 or 120 pictures a second, and a network
camera delivers two at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, crop_around, upright_angle_rad
from engines.skeleton import Side
from realtime.messages import SPEED_OVER_S
from realtime.snapshot import Stored

_LONGEST_STEP_S: Final = 0.1
"""Velocities are trusted for so long."""
_SPEED_MEMORY_S: Final = 0.05
"""Time constant of the velocity."""
_SIDE_MEMORY_S: Final = 1.0
"""Time constant of the evidence for a side: for about so long a followed hand may look like the other one."""
_SIDE_PRIOR_S: Final = 0.1
"""So much time without evidence is counted in: two frames of a new hand tell its side, one does not."""
_FIRST_STEP_S: Final = 1 / 30
"""For what the first picture of a hand counts."""


@dataclass(frozen=True)
class Track:
    """A hand that is being followed, or was until a moment ago."""

    crop: Crop
    crop_s: float
    """When the crop was last drawn."""
    began_s: float
    seen_s: float
    """When it was last seen; before it ever was, when it was found."""
    joints_px: Annotated[NDArray[np.float64], Stored(21, 2)] | None = None
    """(21, 2) where it was seen last."""
    velocity_px_s: Annotated[NDArray[np.float64], Stored(2)] | None = None
    """(2,) of its middle, measured over at least `SPEED_OVER_S`."""
    measured_s: float = 0.0
    """When the velocity was last measured."""
    measured_px: Annotated[NDArray[np.float64], Stored(2)] | None = None
    """(2,) its middle at that time."""
    rightness_s: float = 0.0
    """For how long, less what faded, it looked like a right hand; negative: like a left one."""
    judged_s: float = 0.0
    """For how long, less what faded, that was looked at."""
    missed: int = 0
    """Frames since it was last seen."""


def found(crop: Crop, t_s: float) -> Track:
    """A hand that somebody says is there."""
    return Track(crop, crop_s=t_s, began_s=t_s, seen_s=t_s)


def predicted(track: Track, t_s: float) -> NDArray[np.float64] | None:
    """Where its joints (21, 2) px will be at `t_s`, if they have been seen."""
    if track.joints_px is None or track.velocity_px_s is None:
        return track.joints_px
    return track.joints_px + track.velocity_px_s * min(max(t_s - track.seen_s, 0.0), _LONGEST_STEP_S)


def seen(track: Track, joints_px: NDArray[np.float64], t_s: float, *, shared: bool) -> Track:
    """Seen at `t_s` with these joints (21, 2); a crop shared with the other hand says nothing of the hand's own one."""
    track = replace(_measured(track, joints_px.mean(axis=0), t_s), joints_px=joints_px, seen_s=t_s, missed=0)
    if not shared:
        return track
    crop = crop_around(joints_px, upright_angle_rad([joints_px], track.crop.angle_rad))
    return replace(track, crop=crop, crop_s=t_s)


def judged(track: Track, right_minus_left: float, t_s: float) -> Track:
    """Looked like a right (1) or a left (-1) hand at `t_s`."""
    step_s = min(max(t_s - track.seen_s, 0.0), _LONGEST_STEP_S) if track.judged_s else _FIRST_STEP_S
    keep = float(np.exp(-step_s / _SIDE_MEMORY_S))
    rightness_s = keep * track.rightness_s + step_s * right_minus_left
    return replace(track, rightness_s=rightness_s, judged_s=keep * track.judged_s + step_s)


def looks_like(track: Track, side: Side) -> float:
    """How much it looked like that side's hand of late: -1 to 1."""
    rightness = track.rightness_s / (_SIDE_PRIOR_S + track.judged_s)
    return rightness if side == "right" else -rightness


def _measured(track: Track, middle_px: NDArray[np.float64], t_s: float) -> Track:
    """Take the velocity, if it was last measured long enough ago."""
    if track.measured_px is None:
        return replace(track, measured_s=t_s, measured_px=middle_px, velocity_px_s=np.zeros(2))
    dt_s = t_s - track.measured_s
    if dt_s < SPEED_OVER_S:
        return track
    keep = float(np.exp(-dt_s / _SPEED_MEMORY_S))
    before = np.zeros(2) if track.velocity_px_s is None else track.velocity_px_s
    velocity = keep * before + (1 - keep) * (middle_px - track.measured_px) / dt_s
    return replace(track, measured_s=t_s, measured_px=middle_px, velocity_px_s=velocity)

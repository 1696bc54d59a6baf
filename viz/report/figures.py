"""A recording in numbers: what was seen, for how long not, how sure, how far, how fast (pure functions; any thread)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES, SIDES, WRIST, Side
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks
from viz.report.motion import speed_mm_s


@dataclass(frozen=True)
class Gap:
    """A hand that was away between two sightings."""

    side: Side
    start_s: float
    """From the first frame of the recording to the last one in which the hand was seen."""
    length_s: float
    """Until it was seen again."""


@dataclass(frozen=True)
class HandNumbers:
    """One hand over a whole recording; what nothing is known of is NaN."""

    side: Side
    seen: float
    """Share of the frames, 0..1, those that were filled in not counted."""
    filled: float
    """Share of the frames that `--offline-smoothing` filled in."""
    gaps: tuple[Gap, ...]
    confidence: float
    """Median over all joints that were seen."""
    depth_mm: tuple[float, float, float]
    """Distance of the wrist along the camera's axis: nearer than the middle 90 %, median, further than them."""
    sigma_mm: float
    """Median standard deviation of that distance in one picture."""
    speed_mm_s: tuple[float, float]
    """Of the wrist: median and 95th percentile."""
    depth_from: tuple[tuple[str, float], ...]
    """Where the depth came from, and in which share of the hand's frames; the most frequent first."""


def hand_numbers(tracks: Tracks, side: Side) -> HandNumbers:
    """The numbers of one hand; there may be no frames, or none with the hand."""
    h, rows = SIDES.index(side), HAND_SLICES[side]
    codes = tracks.root_depth_from[:, h]
    filled = codes == ROOT_DEPTH_NAMES.index("filled")
    seen = (codes > 0) & ~filled
    wrist = tracks.joints_cam_mm[:, rows][:, WRIST]
    speeds = speed_mm_s(wrist, tracks.t_s)
    sources = Counter(codes[codes > 0].tolist()).most_common()
    low, middle, high = _percentiles(wrist[seen, 2], (5, 50, 95))
    median_speed, fast = _percentiles(speeds, (50, 95))
    return HandNumbers(
        side=side,
        seen=_share(seen),
        filled=_share(filled),
        gaps=_gaps(side, codes > 0, tracks.t_s),
        confidence=_percentiles(tracks.joint_confidence[seen, rows], (50,))[0],
        depth_mm=(low, middle, high),
        sigma_mm=_percentiles(tracks.root_depth_sigma_mm[seen, h], (50,))[0],
        speed_mm_s=(median_speed, fast),
        depth_from=tuple((ROOT_DEPTH_NAMES[code], count / int((codes > 0).sum())) for code, count in sources),
    )


def _gaps(side: Side, there: NDArray[np.bool_], t_s: NDArray[np.float64]) -> tuple[Gap, ...]:
    frames = np.flatnonzero(there)
    before, after = frames[:-1], frames[1:]
    holes = after > before + 1
    pairs = zip(before[holes].tolist(), after[holes].tolist(), strict=True)
    return tuple(Gap(side, float(t_s[a] - t_s[0]), float(t_s[b] - t_s[a])) for a, b in pairs)


def _percentiles(values: NDArray, percents: tuple[int, ...]) -> tuple[float, ...]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (float("nan"),) * len(percents)
    return tuple(float(value) for value in np.percentile(finite, percents))


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if chosen.size else 0.0

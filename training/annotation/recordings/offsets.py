"""When each of several unsynchronised videos began: what moves, moves in all of them at once (numpy; any thread).

Each picture is reduced to its brightness and to how much it changed; a flash or a clap is a peak in both. The best
offset of two videos is where their curves correlate most, refined below a frame by a parabola.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.sources.recording import VideoSource
from training.annotation.recordings.moments import VideoTimes

_GRID_HZ: Final = 120.0
_THUMB_PX: Final = (64, 36)
_LEAST_OVERLAP_S: Final = 1.0
_LEAST_CORRELATION: Final = 0.3


@dataclass(frozen=True)
class Offsets:
    """When each video began, in seconds after the first one, and how well that fits."""

    offsets_s: tuple[float, ...]
    correlation: tuple[float, ...]
    """Of each video's motion with the first one's; 1 for the first itself."""


def estimate_offsets(videos: Sequence[VideoTimes]) -> Offsets:
    """Offsets of all videos against the first; raises UserError if nothing moves in common."""
    curves = [_curve(video) for video in videos]
    found = [(0.0, 1.0)] + [best_lag(curves[0], curve, _GRID_HZ) for curve in curves[1:]]
    for video, (_, fit) in zip(videos, found, strict=True):
        if fit < _LEAST_CORRELATION:
            raise UserError(
                f"{video.path.name}: moves otherwise than {videos[0].path.name} at any offset (correlation {fit:.2f}): "
                "clap, or switch a lamp on and off, where all cameras see it, or give --offsets"
            )
    return Offsets(tuple(o for o, _ in found), tuple(c for _, c in found))


def offset_words(found: Offsets, names: Sequence[str]) -> list[str]:
    """What was estimated, a line a camera."""
    return [
        f"offset      {name}: began {offset * 1e3:+.0f} ms after {names[0]} (correlation of motion {fit:.2f})"
        for name, offset, fit in zip(names, found.offsets_s, found.correlation, strict=True)
    ]


def best_lag(first: NDArray, second: NDArray, rate_hz: float) -> tuple[float, float]:
    """Seconds by which `second` began later than `first`, and the correlation there; curves (N,) at one rate."""
    from scipy.signal import correlate  # brings SciPy's statistics, a third of a second

    a, b = (np.asarray(curve, np.float64) - np.mean(curve) for curve in (first, second))
    products = correlate(a, b, mode="full", method="fft")
    ones = correlate(np.ones(len(a)), np.ones(len(b)), mode="full", method="fft")
    energy = np.sqrt(
        np.maximum(correlate(a**2, np.ones(len(b)), mode="full", method="fft"), 1e-12)
        * np.maximum(correlate(np.ones(len(a)), b**2, mode="full", method="fft"), 1e-12)
    )
    share = np.where(ones >= _LEAST_OVERLAP_S * rate_hz, products / np.maximum(energy, 1e-9), -1.0)
    at = int(share.argmax())
    return (at - (len(b) - 1) + _parabola(share, at)) / rate_hz, float(share[at])


def _parabola(values: NDArray, at: int) -> float:
    """Where between its neighbours the top of a peak lies, -0.5 .. 0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = (float(v) for v in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _curve(video: VideoTimes) -> NDArray[np.float64]:
    """How much each picture changed, brightness and the rest alike, on an even grid of time."""
    with VideoSource(video.path) as source:
        thumbs = {f.index: cv2.resize(f.image_bgr, _THUMB_PX, interpolation=cv2.INTER_AREA) for f in source}
    kept = sorted(thumbs)
    grey = np.array([cv2.cvtColor(thumbs[k], cv2.COLOR_BGR2GRAY) for k in kept], np.float64)
    if len(grey) < 3:
        raise UserError(f"{video.path.name}: too short to tell when it began; give --offsets")
    change = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
    middle = (video.t_s[kept][1:] + video.t_s[kept][:-1]) / 2
    grid = np.arange(middle[0], middle[-1], 1 / _GRID_HZ)
    curve = np.interp(grid, middle, np.log1p(change))
    lead = np.full(round(middle[0] * _GRID_HZ), curve[0])  # so that all curves begin with their video
    return np.concatenate([lead, curve])

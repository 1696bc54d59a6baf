"""Smooth motion between keyframes (numpy and scipy; any thread).

Between two keys every channel follows the minimum-jerk profile of human reaching, 10 u^3 - 15 u^4 + 6 u^5 (Flash and
Hogan 1985): position, speed and acceleration are continuous, and the hand rests for a moment at each key. Rotations
follow great arcs. Slow small sways on top keep held poses alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation, Slerp


def minimum_jerk(u: NDArray | float) -> NDArray[np.float64]:
    """0..1 to 0..1 with zero speed and acceleration at both ends; clamped outside."""
    u = np.clip(u, 0.0, 1.0)
    return np.asarray(u**3 * (10 + u * (6 * u - 15)))


def bump(t_s: float, start_s: float, end_s: float, ramp_s: float) -> float:
    """Window that rises from 0 to 1 after `start_s` and is back at 0 at `end_s`, each within `ramp_s`."""
    return float(minimum_jerk((t_s - start_s) / ramp_s) * minimum_jerk((end_s - t_s) / ramp_s))


class KeyedValues:
    """Arrays of any one shape at increasing key times; the first and last value hold outside."""

    def __init__(self, times_s: Sequence[float], values: Sequence[ArrayLike]) -> None:
        self._times, self._values = _checked_times(times_s, len(values)), np.asarray(values, np.float64)

    def at(self, t_s: float) -> NDArray[np.float64]:
        """Value at a time in seconds."""
        index, share = _segment(self._times, t_s)
        return self._values[index] + share * (self._values[index + 1] - self._values[index])


class KeyedRotations:
    """Rotations at increasing key times, interpolated along great arcs."""

    def __init__(self, times_s: Sequence[float], rotations: Sequence[Rotation]) -> None:
        self._times = _checked_times(times_s, len(rotations))
        self._slerp = Slerp(np.arange(len(self._times)), Rotation.concatenate(list(rotations)))

    def at(self, t_s: float) -> Rotation:
        """Rotation at a time in seconds."""
        index, share = _segment(self._times, t_s)
        return self._slerp(index + share)


@dataclass(frozen=True)
class Sway:
    """A slow, small, endless wander of some channels: a sum of three sines each."""

    amplitude: NDArray[np.float64]
    """(C,) standard deviation of each channel."""
    frequency_hz: NDArray[np.float64]
    """(3, C)."""
    phase: NDArray[np.float64]
    """(3, C) radians."""

    @staticmethod
    def sample(rng: np.random.Generator, amplitude: ArrayLike, band_hz: tuple[float, float] = (0.25, 1.1)) -> Sway:
        """A random sway of channels with the given standard deviations."""
        deviation = np.atleast_1d(np.asarray(amplitude, np.float64))
        shape = (3, len(deviation))
        return Sway(deviation, rng.uniform(*band_hz, shape), rng.uniform(0, 2 * np.pi, shape))

    def at(self, t_s: float) -> NDArray[np.float64]:
        """(C,) offsets at a time in seconds."""
        waves = np.sin(2 * np.pi * self.frequency_hz * t_s + self.phase)
        return self.amplitude * waves.sum(axis=0) * np.sqrt(2 / 3)


def smooth_upper_envelope(values: NDArray, reach: int) -> NDArray[np.float64]:
    """A smooth curve (N,) that lies on or above `values` (N,), spread over about `reach` samples."""
    reach = max(reach, 1)
    widened = maximum_filter1d(np.asarray(values, np.float64), 2 * reach + 1, mode="nearest")
    return gaussian_filter1d(widened, reach / 3, mode="nearest", truncate=3.0)


def _checked_times(times_s: Sequence[float], count: int) -> NDArray[np.float64]:
    times = np.asarray(times_s, np.float64)
    if len(times) != count or count < 2 or np.any(np.diff(times) <= 0):
        raise ValueError("keys need at least two strictly increasing times and one value for each")
    return times


def _segment(times: NDArray, t_s: float) -> tuple[int, float]:
    """Index of the key before `t_s` and the eased share of the way to the next one."""
    index = int(np.clip(np.searchsorted(times, t_s, side="right") - 1, 0, len(times) - 2))
    return index, float(minimum_jerk((t_s - times[index]) / (times[index + 1] - times[index])))

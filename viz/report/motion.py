"""How fast a point of a track moves (pure functions; any thread)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SPEED_WINDOW_S: Final = 0.1
"""Speeds are the way between two places so far apart in time: shorter ones would show the noise of depth."""


def speed_mm_s(places_mm: NDArray, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speed (F,) of a point (F, 3) around each of the times (F,); NaN next to frames in which it is not there."""
    count = np.arange(len(t_s))
    first = np.searchsorted(t_s, t_s - SPEED_WINDOW_S / 2 - 1e-9)
    last = np.searchsorted(t_s, t_s + SPEED_WINDOW_S / 2 + 1e-9) - 1
    alone = first >= last  # few frames a second: then the neighbours
    first = np.where(alone, np.maximum(count - 1, 0), first)
    last = np.where(alone, np.minimum(count + 1, len(t_s) - 1), last)
    absent = np.concatenate([[0], np.cumsum(~np.isfinite(places_mm).all(axis=1))])
    whole = (absent[last + 1] == absent[first]) & (last > first)
    way = np.linalg.norm(np.asarray(places_mm[last] - places_mm[first], np.float64), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole, way / (t_s[last] - t_s[first]), np.nan)

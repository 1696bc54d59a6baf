"""What moves in a track, over time: bend of the fingers, speeds (pure functions; any thread)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, WRIST

SPEED_WINDOW_S: Final = 0.1
"""Speeds are the way between two places so far apart in time: shorter ones would show the noise of depth."""


def bend_deg(joints: NDArray) -> NDArray[np.float64]:
    """Degrees (F, 5, 3) between neighbouring bones of each finger, of joints (F, 21, 3); 0 is straight.

    Fingers from thumb to little; their joints from the base outwards. At the base that is the angle between the palm's
    bone and the finger's first one, spreading included.
    """
    places = np.asarray(joints, np.float64)
    fingers = np.array(FINGER_BASES)[:, None] - np.arange(4)  # (5, 4): from base to tip
    wrist = np.broadcast_to(places[:, None, None, WRIST], (len(places), 5, 1, 3))
    chain = np.concatenate([wrist, places[:, fingers]], axis=2)  # (F, 5, 5, 3)
    bones = np.diff(chain, axis=2)
    lengths = np.linalg.norm(bones, axis=3)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (bones[:, :, 1:] * bones[:, :, :-1]).sum(axis=3) / (lengths[:, :, 1:] * lengths[:, :, :-1])
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


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

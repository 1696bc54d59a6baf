"""One-Euro smoothing of hands: still hands stand still, fast hands hardly lag (numpy only; one thread).

Casiez, Roussel, Vogel: *1 EUR Filter*, CHI 2012. A low-pass whose cutoff grows with speed: fc = fc_min + beta |v|.
Three things are smoothed apart, because their noise differs: where the joints are in the picture, their depth
relative to the wrist, and the wrist's own depth. Joints in millimetres are put together again from these, so depth
noise never shakes a hand sideways and the overlay stays on the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, backproject
from engines.skeleton import WRIST, Side
from realtime.config import OneEuroSettings, SmoothingSettings
from realtime.messages import HandPose


class OneEuroFilter:
    """Smooths an array (..., D) of points: each has its own speed, the norm over its D coordinates.

    The smoothing factor is the exact 1 - exp(-2 pi fc dt), where the paper has its first-order approximation: so the
    result depends on the time stamps and not on how often the signal was sampled.
    """

    def __init__(self, settings: OneEuroSettings, derivative_cutoff_hz: float) -> None:
        self._settings = settings
        self._derivative_cutoff_hz = derivative_cutoff_hz
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next value comes out as it goes in."""
        self._t_s = 0.0
        self._value: NDArray[np.float64] | None = None
        self._raw: NDArray[np.float64] | None = None
        self._velocity: NDArray[np.float64] | None = None

    def __call__(self, value: NDArray, t_s: float, mm_per_unit: float = 1.0) -> NDArray[np.float64]:
        """Smooth `value` (..., D) taken at `t_s` seconds; a time that does not advance returns the last result.

        `mm_per_unit` turns the value's unit into mm where it is another: beta is Hz per mm/s.
        """
        raw = np.asarray(value, dtype=np.float64)
        if self._value is None or self._raw is None or self._velocity is None:
            self._t_s, self._value, self._raw, self._velocity = t_s, raw, raw, np.zeros_like(raw)
            return raw
        dt_s = t_s - self._t_s
        if dt_s <= 0:
            return self._value
        measured = (raw - self._raw) / dt_s
        self._velocity = self._velocity + _factor(self._derivative_cutoff_hz, dt_s) * (measured - self._velocity)
        speed_mm_s = np.linalg.norm(self._velocity, axis=-1, keepdims=True) * mm_per_unit
        cutoff_hz = self._settings.min_cutoff_hz + self._settings.beta * speed_mm_s
        self._value = self._value + _factor(cutoff_hz, dt_s) * (raw - self._value)
        self._t_s, self._raw = t_s, raw
        return self._value


def _factor(cutoff_hz: float | NDArray, dt_s: float) -> NDArray[np.float64]:
    """Share of the new value in an exponential low-pass after `dt_s` seconds."""
    return -np.expm1(-2 * np.pi * np.asarray(cutoff_hz) * dt_s)


@dataclass
class _HandFilters:
    image: OneEuroFilter
    relative_depth: OneEuroFilter
    wrist_depth: OneEuroFilter
    last_s: float


class HandSmoother:
    """Smooths the hands of successive frames. A hand that comes back after a gap starts afresh."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._filters: dict[Side, _HandFilters] = {}

    def reset(self) -> None:
        """Forget both hands."""
        self._filters.clear()

    def __call__(self, hands: tuple[HandPose, ...], t_s: float, intrinsics: Intrinsics) -> tuple[HandPose, ...]:
        """Smooth the hands of the frame at `t_s`; a hand that is not among them is forgotten.

        The result's `joints_px` is the projection of its `joints_cam_mm`.
        """
        present = {hand.side for hand in hands}
        self._filters = {side: f for side, f in self._filters.items() if side in present}
        return tuple(self._smooth(hand, t_s, intrinsics) for hand in hands)

    def _smooth(self, hand: HandPose, t_s: float, intrinsics: Intrinsics) -> HandPose:
        filters = self._filters.get(hand.side)
        if filters is None or not 0 <= t_s - filters.last_s <= self._settings.max_gap_s:
            filters = self._filters[hand.side] = self._new_filters()
        filters.last_s = t_s
        depth_mm = hand.joints_cam_mm[:, 2:].astype(np.float64)
        wrist_mm = filters.wrist_depth(depth_mm[WRIST], t_s)
        relative_mm = filters.relative_depth(depth_mm - depth_mm[WRIST], t_s)
        joints_px = filters.image(hand.joints_px, t_s, mm_per_unit=float(wrist_mm[0]) / intrinsics.fx)
        joints_cam_mm = backproject(joints_px, (wrist_mm + relative_mm)[:, 0], intrinsics)
        return replace(hand, joints_cam_mm=joints_cam_mm.astype(np.float32), joints_px=joints_px.astype(np.float32))

    def _new_filters(self) -> _HandFilters:
        s = self._settings
        image, relative, wrist = (
            OneEuroFilter(one, s.derivative_cutoff_hz) for one in (s.image, s.relative_depth, s.wrist_depth)
        )
        return _HandFilters(image, relative, wrist, last_s=-np.inf)

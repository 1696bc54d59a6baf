"""The One-Euro filter: a low-pass whose cutoff grows with speed, fc = fc_min + beta |v| (numpy only; any thread).

Casiez, Roussel, Vogel: *1 EUR Filter*, CHI 2012. The smoothing factor is the exact 1 - exp(-2 pi fc dt), where the
paper has its first-order approximation: so the result depends on the time stamps and not on how often was sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from realtime.config import OneEuroSettings
from realtime.messages import SPEED_OVER_S
from realtime.snapshot import Stored


@dataclass(frozen=True)
class FilterState:
    """What a filter remembers of its signal (..., D): each point has its own speed, the norm over D coordinates."""

    t_s: float
    value: Annotated[NDArray[np.float64], Stored()]
    """(..., D) the last result."""
    measured_s: float
    """When the speed was last measured."""
    raw: Annotated[NDArray[np.float64], Stored()]
    """(..., D) the input at that time."""
    velocity: Annotated[NDArray[np.float64], Stored()]
    """(..., D) per second."""
    began_s: float
    """When the signal began."""


def one_euro(
    last: FilterState | None,
    value: NDArray,
    t_s: float,
    settings: OneEuroSettings,
    derivative_cutoff_hz: float,
    mm_per_unit: float = 1.0,
    step_s: float | None = None,
) -> FilterState:
    """Smooth `value` (..., D) taken at `t_s` seconds: the state behind it, whose `value` is the result.

    Without a last state the value comes out as it goes in; a time that does not advance changes nothing. `mm_per_unit`
    turns the value's unit into mm where it is another: beta is Hz per mm/s. `step_s` is the time for which the result
    may follow, where that is not the time since the last value.
    """
    raw = np.asarray(value, dtype=np.float64)
    if last is None:
        return FilterState(t_s, raw, t_s, raw, np.zeros_like(raw), began_s=t_s)
    if t_s <= last.t_s:
        return last
    step_s = t_s - last.t_s if step_s is None else step_s
    measured_s, before, velocity = _measured(last, raw, t_s, derivative_cutoff_hz)
    speed_mm_s = np.sqrt((velocity * velocity).sum(axis=-1, keepdims=True)) * mm_per_unit
    cutoff_hz = settings.min_cutoff_hz + settings.beta * speed_mm_s
    now = last.value + _share(cutoff_hz, step_s) * (raw - last.value)
    return FilterState(t_s, now, measured_s, before, velocity, last.began_s)


def _measured(
    last: FilterState, raw: NDArray[np.float64], t_s: float, cutoff_hz: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """When the speed was measured, at which input, and the speed: now, if that was long enough ago.

    Until there is enough for the low-pass, the speed is the mean of all that was measured: one that starts at zero
    takes a hand that comes in fast for a still one and trails behind it.
    """
    dt_s = t_s - last.measured_s
    if dt_s < SPEED_OVER_S:
        return last.measured_s, last.raw, last.velocity
    share = np.maximum(_share(cutoff_hz, dt_s), dt_s / (t_s - last.began_s))
    return t_s, raw, last.velocity + share * ((raw - last.raw) / dt_s - last.velocity)


def _share(cutoff_hz: float | NDArray, dt_s: float) -> NDArray[np.float64]:
    """Share of the new value in an exponential low-pass after `dt_s` seconds."""
    return -np.expm1(-2 * np.pi * np.asarray(cutoff_hz) * dt_s)

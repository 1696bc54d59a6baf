"""Medians of what is known: NaN where nothing is, without warnings (numpy; any thread)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def known_median(values: NDArray, axis: int | None = None) -> NDArray[np.float64]:
    """Median along an axis of the values that are no NaN."""
    ordered = np.sort(values if axis is not None else values.ravel(), axis=-1 if axis is None else axis)
    ordered = np.moveaxis(ordered, -1 if axis is None else axis, -1)
    count = np.isfinite(ordered).sum(axis=-1) + np.isinf(ordered).sum(axis=-1)
    low, high = np.maximum((count - 1) // 2, 0), np.maximum(count // 2, 0)
    if not ordered.shape[-1]:
        return np.full(ordered.shape[:-1], np.nan)
    a = np.take_along_axis(ordered, low[..., None], axis=-1)[..., 0]
    b = np.take_along_axis(ordered, np.minimum(high, ordered.shape[-1] - 1)[..., None], axis=-1)[..., 0]
    same = a == b  # infinite minus infinite is no number
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(count > 0, np.where(same, a, (a + b) / 2), np.nan))


def known_mean(values: NDArray) -> float:
    """Mean of the values that are finite; NaN for none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


def robust_deviation(values: NDArray, axis: int | None = None) -> NDArray[np.float64]:
    """1.4826 times the median distance from the median: the standard deviation of a Gaussian, outliers or not."""
    middle = known_median(values, axis)
    centred = values - (middle if axis is None else np.expand_dims(middle, axis))
    return 1.4826 * known_median(np.abs(centred), axis)

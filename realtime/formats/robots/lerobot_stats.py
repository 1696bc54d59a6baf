"""Statistics of a LeRobot data set's features, of one episode and of all together (any thread).

Those of all are the episodes', weighted by their frames; so LeRobot does it, quantiles too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

QUANTILES: Final = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

Stats = dict[str, NDArray]
"""min, max, mean, std and quantiles (N,) of each component, count (1,)."""


def stats_of(values: NDArray, known: NDArray[np.bool_] | None = None) -> Stats:
    """Of values (F, N), those that are `known` only; a component that never is has zeros, and no frame no count."""
    numbers = values.astype(np.float64)
    if known is not None:
        numbers = np.where(known, numbers, np.nan)
    if not len(numbers):
        numbers = np.zeros((1, values.shape[1]))
    numbers = np.where(np.isnan(numbers).all(axis=0), 0.0, numbers)
    found = {"min": np.nanmin(numbers, axis=0), "max": np.nanmax(numbers, axis=0)}
    found |= {"mean": np.nanmean(numbers, axis=0), "std": np.nanstd(numbers, axis=0)}
    quantiles = np.nanquantile(numbers, list(QUANTILES.values()), axis=0)
    return {**found, "count": np.array([len(values)]), **dict(zip(QUANTILES, quantiles, strict=True))}


def pooled(episodes: Sequence[Stats]) -> Stats:
    """Of all episodes together."""
    counts = np.array([max(int(of["count"][0]), 1) for of in episodes], float)

    def weighted(values: list[NDArray]) -> NDArray:
        return np.asarray(np.average(np.array(values), axis=0, weights=counts))

    mean = weighted([of["mean"] for of in episodes])
    variance = weighted([of["std"] ** 2 + (of["mean"] - mean) ** 2 for of in episodes])
    return {
        "min": np.min([of["min"] for of in episodes], axis=0),
        "max": np.max([of["max"] for of in episodes], axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.sum([of["count"] for of in episodes], axis=0),
        **{name: weighted([of[name] for of in episodes]) for name in QUANTILES},
    }


def of_pictures(samples: NDArray[np.float64]) -> Stats:
    """Of colours (N, 3) in 0..1, each statistic shaped (3, 1, 1) as LeRobot has it."""
    found = stats_of(samples)
    return {name: value if name == "count" else value.reshape(3, 1, 1) for name, value in found.items()}


def as_lists(stats: Mapping[str, Stats]) -> dict[str, Any]:
    """For JSON."""
    return {name: {key: value.tolist() for key, value in of.items()} for name, of in stats.items()}

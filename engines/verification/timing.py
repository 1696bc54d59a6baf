"""How long an engine takes."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend

TIMED_S: Final = 5.0
"""A slow network is timed for so long, whatever it has done by then."""
_TIMED_RUNS: Final = 100


def latencies_ms(
    backend: Backend, crops: NDArray[np.uint8], runs: int = _TIMED_RUNS, seconds: float = TIMED_S
) -> NDArray[np.float64]:
    """Milliseconds of each of up to `runs` calls with the same crops, for up to `seconds`, after a few warm-ups."""
    times: list[float] = []
    for _ in range(3):
        backend(crops)
    until = time.perf_counter() + seconds
    while len(times) < runs and (not times or time.perf_counter() < until):
        start = time.perf_counter()
        backend(crops)
        times.append((time.perf_counter() - start) * 1e3)
    return np.array(times)

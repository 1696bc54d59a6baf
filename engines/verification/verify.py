"""An engine against torch: the same crops through both, their differences, and the engine's own speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.building.tolerance import LIMITS_MM
from engines.contract import BATCHES, Backend
from engines.errors import UserError
from engines.verification.comparison import Differences, differences
from engines.verification.timing import TIMED_S, latencies_ms


@dataclass(frozen=True)
class Verification(Differences):
    """Differences over a fixed set of crops, and the engine's own speed."""

    latency_p50_ms: float
    latency_p95_ms: float
    latency_largest_p50_ms: float
    """One batch of the largest compiled size: two crops, unless asked otherwise."""
    crops_per_s: float
    """In batches of that size."""

    def require(self, precision: str) -> None:
        """Raise UserError if the joints are farther off than the precision may bring them."""
        limit = LIMITS_MM.get(precision)
        if limit is not None and not self.joints_mm_mean <= limit:  # NaN is no answer either
            raise UserError(
                f"the engine's joints differ from torch by {self.joints_mm_mean:.3f} mm on average, {precision} may "
                f"bring {limit} mm: choose --precision fp32, or bf16 on a CPU"
            )


def verify(
    engine: Backend,
    reference: Backend,
    crops: NDArray[np.uint8],
    batches: Sequence[int] = BATCHES,
    timed_s: float = TIMED_S,
) -> Verification:
    """Compare `engine` with `reference` on `crops` (N, S, S, 3), and time the engine at its `batches`.

    A batch of more crops than there are has some of them several times.
    """
    smallest, largest = min(batches), max(batches)
    crops = crops[np.arange(max(len(crops), largest)) % len(crops)]
    found = differences(_answers(engine, crops, smallest), _answers(reference, crops, smallest), engine.input_px)
    first, most = (latencies_ms(engine, crops[:batch], seconds=timed_s) for batch in (smallest, largest))
    return Verification(
        **vars(found),
        latency_p50_ms=float(np.percentile(first, 50)),
        latency_p95_ms=float(np.percentile(first, 95)),
        latency_largest_p50_ms=float(np.percentile(most, 50)),
        crops_per_s=float(largest / np.percentile(most, 50) * 1e3),
    )


def _answers(backend: Backend, crops: NDArray[np.uint8], batch: int) -> dict[str, NDArray[np.float32]]:
    starts = range(0, len(crops) - batch + 1, batch)
    answers = [{name: value.copy() for name, value in backend(crops[k : k + batch]).items()} for k in starts]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

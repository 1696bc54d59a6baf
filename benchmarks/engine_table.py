"""The table that `benchmarks.engines` prints: one row for every engine and batch size, or for why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

COLUMNS: Final = (
    "preset",
    "backend",
    "precision",
    "batch",
    "p50 ms",
    "p95 ms",
    "crops/s",
    "MB",
    "joints px",
    "depth mm",
    "joints mm",
)


@dataclass(frozen=True)
class Row:
    """One engine at one batch size; differences are means over the joints, against torch in fp32."""

    preset: str
    backend: str
    precision: str
    batch: int
    p50_ms: float
    p95_ms: float
    crops_per_s: float
    engine_mb: float | None
    """Size of what is in the cache; None where nothing is compiled."""
    joints_px: float
    joint_depth_mm: float
    joints_mm: float
    """Pixels and depth together, as a distance in space."""

    def markdown(self) -> str:
        """One line of the table."""
        size = "" if self.engine_mb is None else f"{self.engine_mb:.0f}"
        cells = [self.preset, self.backend, self.precision, str(self.batch), *map(digits, (self.p50_ms, self.p95_ms))]
        exact = [f"{value:.3f}" for value in (self.joints_px, self.joint_depth_mm, self.joints_mm)]
        return line([*cells, f"{self.crops_per_s:.0f}", size, *exact])


@dataclass(frozen=True)
class Failure:
    """An engine that could not be measured, and the reason in one line."""

    preset: str
    backend: str
    precision: str
    why: str

    def markdown(self) -> str:
        """One line of the same table."""
        cells = [self.preset, self.backend, self.precision, self.why.replace("|", "/")]
        return line([*cells, *[""] * (len(COLUMNS) - len(cells))])


def digits(value: float) -> str:
    """A number with three significant digits, and all of those before its point."""
    decimals = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{max(decimals, 0)}f}"


def line(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"

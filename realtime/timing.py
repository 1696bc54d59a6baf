"""How long each stage takes, and how many frames a second come out (one timer or profile per thread)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

KEPT_FRAMES: Final = 50_000
"""Percentiles are taken over the last so many frames: memory must not grow with the length of a run."""


OnStage = Callable[[str, float, float], None]
"""Gets a stage's name, beginning and end (`time.monotonic()`) in the thread that ran it."""


class StageTimer:
    """Milliseconds spent in the named stages of one frame; a stage entered twice adds up."""

    def __init__(self, on_stage: OnStage | None = None) -> None:
        self._stage_ms: dict[str, float] = {}
        self._on_stage = on_stage

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of a `with` block as stage `name`, also if it raises."""
        start_s = time.monotonic()
        try:
            yield
        finally:
            end_s = time.monotonic()
            self._stage_ms[name] = self._stage_ms.get(name, 0.0) + (end_s - start_s) * 1e3
            if self._on_stage is not None:
                self._on_stage(name, start_s, end_s)

    def take(self) -> dict[str, float]:
        """Return the stages of the frame that ends here and start anew."""
        taken, self._stage_ms = self._stage_ms, {}
        return taken


@dataclass(frozen=True)
class StageSummary:
    """A stage over all frames in which it ran; percentiles as numpy's linear interpolation gives them."""

    n: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class TimingSummary:
    """What a run's table shows. Warm-up frames count in nothing but `warmup_frames`."""

    frames: int
    warmup_frames: int
    rate_hz: float | None
    """(N - 1) / span of the N results' times; None below two frames."""
    stages: dict[str, StageSummary]

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and dicts, ready for JSON."""
        return asdict(self)

    def table(self) -> str:
        """Return the stages as lines of text, in the order in which they first ran."""
        width = max([len("stage"), *map(len, self.stages)])
        lines = [f"{'stage':<{width}}  {'n':>6}  {'mean':>7}  {'p50':>7}  {'p95':>7}  {'p99':>7}   ms"]
        for name, s in self.stages.items():
            numbers = "  ".join(f"{v:7.2f}" for v in (s.mean_ms, s.p50_ms, s.p95_ms, s.p99_ms))
            lines.append(f"{name:<{width}}  {s.n:6d}  {numbers}")
        rate = "too few to tell a rate" if self.rate_hz is None else f"{self.rate_hz:.1f} frames/s"
        return "\n".join([*lines, f"{self.frames} frames after {self.warmup_frames} of warm-up, {rate}"])


@dataclass
class _Samples:
    n: int = 0
    total_ms: float = 0.0
    last_ms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))

    def add(self, ms: float) -> None:
        self.n += 1
        self.total_ms += ms
        self.last_ms.append(ms)

    def summary(self) -> StageSummary:
        p50, p95, p99 = (float(p) for p in np.percentile(self.last_ms, [50, 95, 99]))
        return StageSummary(self.n, self.total_ms / self.n, p50, p95, p99)


class Profile:
    """Collects the stage times of a run's results."""

    def __init__(self, warmup_frames: int = 10) -> None:
        self._warmup_frames = warmup_frames
        self._seen = 0
        self._first_s = self._last_s = 0.0
        self._stages: dict[str, _Samples] = {}

    def add(self, stage_ms: Mapping[str, float], t_done_s: float) -> None:
        """Add a result that was ready at `t_done_s` (seconds on a monotonic clock)."""
        self._seen += 1
        if self._seen <= self._warmup_frames:
            return
        if self._seen == self._warmup_frames + 1:
            self._first_s = t_done_s
        self._last_s = t_done_s
        for name, ms in stage_ms.items():
            self._stages.setdefault(name, _Samples()).add(ms)

    def add_stage(self, name: str, ms: float) -> None:
        """Add the time of a stage that comes after the result, such as showing it."""
        if self._seen > self._warmup_frames:
            self._stages.setdefault(name, _Samples()).add(ms)

    def summary(self) -> TimingSummary:
        """Sum up the frames after the warm-up."""
        n = max(0, self._seen - self._warmup_frames)
        span_s = self._last_s - self._first_s
        return TimingSummary(
            frames=n,
            warmup_frames=min(self._seen, self._warmup_frames),
            rate_hz=(n - 1) / span_s if n > 1 and span_s > 0 else None,
            stages={name: samples.summary() for name, samples in self._stages.items()},
        )

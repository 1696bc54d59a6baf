"""What a run says of itself at its end: frames, hands, rate, latency, files (results may come from another thread)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import UserError
from engines.skeleton import SIDES
from realtime.live import Result
from realtime.reports.machine import machine
from realtime.reports.tracing import Trace
from realtime.reports.usage import UsageMeter
from realtime.sources.opening import Source
from realtime.timing import Profile


class RunSummary:
    """Takes every result of a run over `source`; `lines` tells how it went, `save` writes the same as JSON.

    With a `trace`, what is timed here goes there too.
    """

    def __init__(self, source: Source, warmup_frames: int, trace: Trace | None = None) -> None:
        self._source = source
        self._profile = Profile(warmup_frames)
        self._warmup_frames = warmup_frames
        self._trace = trace
        # A live run adds results in its inference thread and times the views in the main one.
        self._lock = threading.Lock()
        self._started_s = time.monotonic()
        self._first_s: float | None = None
        self._first_shown_s: float | None = None
        self._both = 0
        self._none = 0
        self._found = dict.fromkeys(SIDES, 0)
        self._shown = 0
        self.frames = 0
        self._drops: dict[str, Callable[[], int]] = {
            "damaged": lambda: source.damaged,
            "late for the network": lambda: source.dropped - source.damaged,
            "late for the view": lambda: self.frames - self._shown,
        }
        self._warm_up_is_over()

    def count_drops(self, cause: str, so_far: Callable[[], int]) -> None:
        """Report one more cause of drops, which `so_far()` counts from any thread."""
        self._drops[cause] = so_far

    def add(self, result: Result) -> None:
        """Count one result in."""
        with self._lock:
            if self._first_s is None:
                self._first_s = time.monotonic()
            self.frames += 1
            for hand in result.hands.hands:
                self._found[hand.side] += 1
            self._both += len(result.hands.hands) == len(SIDES)
            self._none += not result.hands.hands
            stages = {"read": result.read_ms, **result.hands.stage_ms, "latency": result.latency_ms}
            self._profile.add(stages, result.t_done_s)
            sampled = self._meter.sample()
            if self.frames == self._warmup_frames:
                self._warm_up_is_over()
        if self._trace is not None:
            _trace_result(self._trace, result, self._source.is_live)
            if sampled is not None:
                self._trace.counters("process", {"memory_mb": sampled[0], "busy_cores": sampled[1]})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of a `with` block as a stage that comes after the result, such as "tracks"."""
        start_s = time.monotonic()
        yield
        end_s = time.monotonic()
        with self._lock:
            self._profile.add_stage(name, (end_s - start_s) * 1e3)
        if self._trace is not None:
            self._trace.slice(name, start_s, end_s)

    @contextmanager
    def showing(self, result: Result) -> Iterator[None]:
        """Time the body of a `with` block as the stage "show", and the frame's age at its end as "age"."""
        with self.stage("show"):
            yield
        now_s = time.monotonic()
        asked_s = result.t_done_s - result.latency_ms / 1e3
        with self._lock:
            self._shown += 1
            self._profile.add_stage("age", (now_s - asked_s) * 1e3)
            if self._first_shown_s is None:
                self._first_shown_s = now_s
        if self._trace is not None and self._source.is_live:
            self._trace.span("capture to display", result.frame.index, asked_s, now_s)

    def as_dict(self) -> dict[str, Any]:
        """All figures as plain numbers; times ending in `clock_s` are of the machine's monotonic clock."""
        with self._lock:
            timing = self._profile.summary()
            usage = self._meter.usage()
            drops = self._drops_after_warmup()
        latency, age = timing.stages.get("latency"), timing.stages.get("age")
        return {
            "source": self._source.name,
            "live": self._source.is_live,
            "frames": self.frames,
            "frames_with_right_hand": self._found["right"],
            "frames_with_left_hand": self._found["left"],
            "frames_with_both_hands": self._both,
            "frames_without_hands": self._none,
            "frames_dropped": self._source.dropped,
            "drops_after_warmup": drops,
            "frames_per_s": timing.rate_hz,
            "latency_p50_ms": latency.p50_ms if latency else None,
            "latency_p95_ms": latency.p95_ms if latency else None,
            "age_at_display_p50_ms": age.p50_ms if age else None,
            "age_at_display_p95_ms": age.p95_ms if age else None,
            "first_result_s": None if self._first_s is None else self._first_s - self._started_s,
            "first_result_clock_s": self._first_s,
            "first_shown_clock_s": self._first_shown_s,
            "usage": None if usage is None else vars(usage),
            "timing": timing.as_dict(),
            "machine": machine(),
        }

    def lines(self, files: list[Path]) -> list[str]:
        """The short summary for the terminal."""
        facts = self.as_dict()
        lost = "dropped" if self._source.is_live else "damaged"
        dropped = f", {facts['frames_dropped']} {lost}" if facts["frames_dropped"] else ""
        lines = [f"frames      {self.frames}{dropped}"]
        if self.frames and self.frames == self._none:
            lines.append("hands       none in any frame; is one in view, lit, and a tenth of the picture or larger?")
        elif self.frames:
            found = self._found
            lines.append(f"hands       right in {found['right']}, left in {found['left']}, both in {self._both} frames")
        if facts["frames_per_s"] is not None:
            lines.append(f"rate        {facts['frames_per_s']:.1f} frames a second, end to end")
        if facts["latency_p50_ms"] is not None:
            p50, p95 = facts["latency_p50_ms"], facts["latency_p95_ms"]
            lines.append(f"latency     {p50:.1f} ms p50, {p95:.1f} ms p95, capture to result")
        return lines + [f"{'written' if i == 0 else '':11} {path}" for i, path in enumerate(files)]

    def table(self) -> str:
        """The stages, what was dropped and why, processor and memory: for `--profile`."""
        with self._lock:
            timing = self._profile.summary()
            usage = self._meter.usage()
            drops = self._drops_after_warmup()
        causes = ", ".join(f"{count} {cause}" for cause, count in drops.items())
        return "\n".join([timing.table(), f"dropped     {causes}", *(usage.lines() if usage is not None else [])])

    def save(self, path: Path) -> None:
        """Write the figures as JSON; raises UserError if the file cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.as_dict(), indent=2, default=_plain) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: the profile cannot be written ({error.strerror})") from error

    def _warm_up_is_over(self) -> None:
        self._meter = UsageMeter()
        self._drops_before = {cause: so_far() for cause, so_far in self._drops.items()}

    def _drops_after_warmup(self) -> dict[str, int]:
        return {cause: max(0, so_far() - self._drops_before.get(cause, 0)) for cause, so_far in self._drops.items()}


def _trace_result(trace: Trace, result: Result, is_live: bool) -> None:
    """The frame as its thread saw it: reading it (live: how long it lay in the slot), and the work on it."""
    asked_s = result.t_done_s - result.latency_ms / 1e3
    started_s = asked_s + result.read_ms / 1e3
    if is_live:
        trace.span("in the slot", result.frame.index, asked_s, started_s)
    else:
        trace.slice("read", asked_s, started_s)
    facts = {"index": result.frame.index, "hands": len(result.hands.hands), "dropped_before": result.hands.dropped}
    trace.slice("frame", started_s, result.t_done_s, **facts)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)

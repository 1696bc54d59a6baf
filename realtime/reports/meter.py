"""What a run comes to, counted as it goes: frames, hands, stages, ages, drops, processor and memory (any thread)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from engines.skeleton import SIDES
from realtime.live import Result
from realtime.reports.machine import machine
from realtime.reports.usage import Usage, UsageMeter
from realtime.sources.opening import Source
from realtime.timing import Profile, TimingSummary


class RunMeter:
    """Counts a run over `source`. A live run adds results in its inference thread and shows them in the main one."""

    def __init__(self, source: Source, warmup_frames: int) -> None:
        self._source = source
        self._profile = Profile(warmup_frames)
        self._warmup_frames = warmup_frames
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
            self._meter.sample()
            if self.frames == self._warmup_frames:
                self._warm_up_is_over()

    def add_stage(self, name: str, start_s: float, end_s: float) -> None:
        """Count the time of what comes after the result, such as "tracks"."""
        with self._lock:
            self._profile.add_stage(name, (end_s - start_s) * 1e3)

    def add_shown(self, result: Result) -> None:
        """Count a result that has just been shown, and its age as the stage "age"."""
        now_s = time.monotonic()
        with self._lock:
            self._shown += 1
            self._profile.add_stage("age", (now_s - result.t_asked_s) * 1e3)
            if self._first_shown_s is None:
                self._first_shown_s = now_s

    def figures(self) -> dict[str, Any]:
        """All figures as plain numbers; times ending in `clock_s` are of the machine's monotonic clock."""
        timing, usage = self.timing(), self.usage()
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
            "drops_after_warmup": self.drops_after_warmup(),
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

    def timing(self) -> TimingSummary:
        """The stages."""
        with self._lock:
            return self._profile.summary()

    def usage(self) -> Usage | None:
        """Processor and memory after the warm-up."""
        with self._lock:
            return self._meter.usage()

    def drops_after_warmup(self) -> dict[str, int]:
        """Causes and numbers."""
        with self._lock:
            return {cause: max(0, so_far() - self._drops_before.get(cause, 0)) for cause, so_far in self._drops.items()}

    def _warm_up_is_over(self) -> None:
        self._meter = UsageMeter()
        self._drops_before = {cause: so_far() for cause, so_far in self._drops.items()}

"""What a run says of itself at its end: frames, hands, rate, latency, files (results may come from another thread)."""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import UserError
from engines.skeleton import SIDES
from realtime.live import Result
from realtime.sources import Source
from realtime.timing import Profile


class RunSummary:
    """Takes every result of a run over `source`; `lines` tells how it went, `save` writes the same as JSON."""

    def __init__(self, source: Source, warmup_frames: int) -> None:
        self._source = source
        self._profile = Profile(warmup_frames)
        # A live run adds results in its inference thread and times the views in the main one.
        self._lock = threading.Lock()
        self._started_s = time.monotonic()
        self._first_s: float | None = None
        self._both = 0
        self._none = 0
        self._found = dict.fromkeys(SIDES, 0)
        self.frames = 0

    def add(self, result: Result) -> None:
        """Count one result in."""
        with self._lock:
            if self._first_s is None:
                self._first_s = time.monotonic() - self._started_s
            self.frames += 1
            for hand in result.hands.hands:
                self._found[hand.side] += 1
            self._both += len(result.hands.hands) == len(SIDES)
            self._none += not result.hands.hands
            stages = {"read": result.read_ms, **result.hands.stage_ms, "latency": result.latency_ms}
            self._profile.add(stages, result.t_done_s)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of a `with` block as a stage that comes after the result, such as "show"."""
        start_s = time.perf_counter()
        yield
        with self._lock:
            self._profile.add_stage(name, (time.perf_counter() - start_s) * 1e3)

    def as_dict(self) -> dict[str, Any]:
        """All figures as plain numbers."""
        with self._lock:
            timing = self._profile.summary()
        latency = timing.stages.get("latency")
        return {
            "source": self._source.name,
            "live": self._source.is_live,
            "frames": self.frames,
            "frames_with_right_hand": self._found["right"],
            "frames_with_left_hand": self._found["left"],
            "frames_with_both_hands": self._both,
            "frames_without_hands": self._none,
            "frames_dropped": self._source.dropped,
            "frames_per_s": timing.rate_hz,
            "latency_p50_ms": latency.p50_ms if latency else None,
            "latency_p95_ms": latency.p95_ms if latency else None,
            "first_result_s": self._first_s,
            "timing": timing.as_dict(),
            "machine": {"system": platform.platform(), "processor": platform.processor() or platform.machine()},
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
        """The stages, for `--profile`."""
        with self._lock:
            return self._profile.summary().table()

    def save(self, path: Path) -> None:
        """Write the figures as JSON; raises UserError if the file cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.as_dict(), indent=2, default=_plain) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: the profile cannot be written ({error.strerror})") from error


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)

"""What a run says of itself at its end: frames, hands, rate, latency, files (one thread)."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import UserError
from engines.skeleton import SIDES
from realtime.live import Result
from realtime.timing import Profile


class RunSummary:
    """Takes every result of a run; `lines` tells how it went, `save` writes the same as JSON."""

    def __init__(self, warmup_frames: int) -> None:
        self._profile = Profile(warmup_frames)
        self._warmup_frames = warmup_frames
        self._latency_ms: list[float] = []
        self._started_s = time.monotonic()
        self._first_s: float | None = None
        self._frames = 0
        self._both = 0
        self._none = 0
        self._found = dict.fromkeys(SIDES, 0)
        self.dropped = 0

    def add(self, result: Result) -> None:
        """Count one result in."""
        self._first_s = time.monotonic() - self._started_s if self._first_s is None else self._first_s
        self._frames += 1
        for hand in result.hands.hands:
            self._found[hand.side] += 1
        self._both += len(result.hands.hands) == len(SIDES)
        self._none += not result.hands.hands
        self.dropped += result.hands.dropped
        self._profile.add({**result.hands.stage_ms, "latency": result.latency_ms}, result.t_done_s)

    def as_dict(self) -> dict[str, Any]:
        """All figures as plain numbers."""
        timing = self._profile.summary()
        latency = timing.stages.get("latency")
        return {
            "frames": self._frames,
            "frames_with_right_hand": self._found["right"],
            "frames_with_left_hand": self._found["left"],
            "frames_with_both_hands": self._both,
            "frames_without_hands": self._none,
            "frames_dropped": self.dropped,
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
        if not self._frames:
            return ["no frames"]
        dropped = f", {self.dropped} dropped" if self.dropped else ""
        lines = [
            f"frames      {self._frames}{dropped}",
            f"hands       right in {self._found['right']}, left in {self._found['left']}, both in {self._both} frames",
        ]
        if facts["frames_per_s"] is not None:
            lines.append(f"rate        {facts['frames_per_s']:.1f} frames a second, end to end")
        if facts["latency_p50_ms"] is not None:
            p50, p95 = facts["latency_p50_ms"], facts["latency_p95_ms"]
            lines.append(f"latency     {p50:.1f} ms p50, {p95:.1f} ms p95, capture to result")
        if self._frames == self._none:
            lines.append(
                "no hand was found in any frame: is one in view, lit, and larger than about a tenth of the picture?"
            )
        return lines + [f"{'written' if i == 0 else '':11} {path}" for i, path in enumerate(files)]

    def table(self) -> str:
        """The stages, for `--profile`."""
        return self._profile.summary().table()

    def save(self, path: Path) -> None:
        """Write the figures as JSON; raises UserError if the file cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.as_dict(), indent=2, default=_plain) + "\n")
        except OSError as error:
            raise UserError(f"{path}: the profile cannot be written ({error.strerror})") from error


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)

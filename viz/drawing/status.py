"""What the status line says, and the meter that finds it out (main thread)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from realtime.messages import HandFrame


@dataclass(frozen=True)
class OverlayStatus:
    """Numbers of the status line; what is None is left out."""

    rate_fps: float | None = None
    """Results a second."""
    latency_ms: float | None = None
    """From capture to now for a camera; time spent on the frame for a recording."""
    dropped: int = 0
    """Frames dropped so far."""
    note: str = ""
    """Anything else to say, like "paused"."""

    def parts(self) -> list[str]:
        """The texts from left to right, most important first."""
        rate = [f"{self.rate_fps:.0f} fps"] if self.rate_fps is not None else []
        latency = [f"{self.latency_ms:.0f} ms"] if self.latency_ms is not None else []
        dropped = [f"{self.dropped} dropped"] if self.dropped else []
        return rate + latency + ([self.note] if self.note else []) + dropped


class StatusMeter:
    """Measures rate and latency from the results as they are shown."""

    def __init__(self, live: bool, window: int = 30, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._clock = clock
        self._shown_s: deque[float] = deque(maxlen=window)
        self._dropped = 0

    def update(self, hand_frame: HandFrame) -> OverlayStatus:
        """Count this result in; the rate is (N-1) / span over the last results."""
        now_s = self._clock()
        self._shown_s.append(now_s)
        self._dropped += hand_frame.dropped
        span_s = self._shown_s[-1] - self._shown_s[0]
        rate = (len(self._shown_s) - 1) / span_s if span_s > 0 else None
        return OverlayStatus(rate, self._latency_ms(hand_frame, now_s), self._dropped)

    def _latency_ms(self, hand_frame: HandFrame, now_s: float) -> float | None:
        if self._live:
            return 1000.0 * (now_s - hand_frame.t_capture_s)
        return float(sum(hand_frame.stage_ms.values())) if hand_frame.stage_ms else None

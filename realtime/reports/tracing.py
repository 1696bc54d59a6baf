"""What every thread did when, as a file for https://ui.perfetto.dev or chrome://tracing (any thread).

The trace event format of Chrome: complete events ("X") for what a thread did, nested by time; pairs of asynchronous
events ("b", "e") for what lasts across threads, such as a frame on its way to the screen; counters ("C"); and the
threads' names ("M"). Times are microseconds since the trace began.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from engines.files import write_json
from realtime.live import Result
from realtime.reports.usage import UsageMeter
from realtime.sinks import Sink

KEPT_EVENTS: Final = 500_000
"""The last so many events are kept, about an hour of a camera: memory must not grow with the length of a run."""


class Trace:
    """Collects events; `save` writes them. Times come in as seconds of `time.monotonic()`."""

    def __init__(self) -> None:
        self._begin_s = time.monotonic()
        self._lock = threading.Lock()
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self._threads: dict[int, str] = {}
        self._lost = 0

    def slice(self, name: str, start_s: float, end_s: float, **facts: float) -> None:
        """The calling thread did `name` from `start_s` to `end_s`."""
        start_us = self._us(start_s)
        lasted_us = max(0.0, round(self._us(end_s) - start_us, 3))
        self._add({"ph": "X", "name": name, "ts": start_us, "dur": lasted_us, "args": facts})

    def span(self, name: str, number: int, start_s: float, end_s: float) -> None:
        """Something that belongs to no thread, and may overlap with others of its kind; `number` tells them apart."""
        event = {"cat": name, "name": name, "id": number}
        self._add({"ph": "b", "ts": self._us(start_s), **event})
        self._add({"ph": "e", "ts": self._us(max(start_s, end_s)), **event})

    def counters(self, name: str, values: Mapping[str, float]) -> None:
        """Values that hold from now on."""
        self._add({"ph": "C", "name": name, "ts": self._us(time.monotonic()), "args": dict(values)})

    def save(self, path: Path) -> None:
        """Write what was collected, sorted by time; raises UserError if the file cannot be written."""
        with self._lock:
            events = sorted(self._events, key=_in_time)
            threads, lost = dict(self._threads), self._lost
        names = [
            {"ph": "M", "name": "thread_name", "pid": os.getpid(), "tid": number, "args": {"name": name}}
            for number, name in threads.items()
        ]
        content = {"traceEvents": names + events, "displayTimeUnit": "ms", "otherData": {"events_left_out": lost}}
        try:
            write_json(path, content, separators=(",", ":"), allow_nan=False)
        except OSError as error:
            raise UserError(f"{path}: the trace cannot be written ({error.strerror})") from error

    def _add(self, event: dict[str, Any]) -> None:
        thread = threading.current_thread()
        number = threading.get_native_id()
        with self._lock:
            self._threads[number] = "main" if thread is threading.main_thread() else thread.name
            self._lost += len(self._events) == KEPT_EVENTS
            self._events.append({**event, "pid": os.getpid(), "tid": number})

    def _us(self, time_s: float) -> float:
        return round((time_s - self._begin_s) * 1e6, 3)


def _in_time(event: Mapping[str, Any]) -> tuple[float, float]:
    """What encloses others comes before them."""
    return event["ts"], -event.get("dur", 0.0)


class TraceSink(Sink):
    """Traces every result as its thread saw it, and at the end writes the trace to `path`."""

    def __init__(self, trace: Trace, path: Path, is_live: bool) -> None:
        self._trace = trace
        self._path = path
        self._is_live = is_live
        self._usage = UsageMeter()

    def take(self, result: Result) -> None:
        """Reading the frame (live: how long it lay in the slot) and the work on it; memory and cores now and then."""
        started_s = result.t_asked_s + result.read_ms / 1e3
        if self._is_live:
            self._trace.span("in the slot", result.frame.index, result.t_asked_s, started_s)
        else:
            self._trace.slice("read", result.t_asked_s, started_s)
        facts = {"index": result.frame.index, "hands": len(result.hands.hands), "dropped_before": result.hands.dropped}
        self._trace.slice("frame", started_s, result.t_done_s, **facts)
        sampled = self._usage.sample()
        if sampled is not None:
            self._trace.counters("process", {"memory_mb": sampled[0], "busy_cores": sampled[1]})

    def shown(self, result: Result) -> None:
        """A result that has just been shown: how long it took from the camera to the screen."""
        if self._is_live:
            self._trace.span("capture to display", result.frame.index, result.t_asked_s, time.monotonic())

    def close(self) -> None:
        """Write the file. Raises UserError if it cannot be written."""
        self._trace.save(self._path)

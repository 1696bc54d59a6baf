"""What every thread did when, as a file for https://ui.perfetto.dev or chrome://tracing (any thread).

The trace event format of Chrome: complete events ("X") for what a thread did, nested by time; pairs of asynchronous
events ("b", "e") for what lasts across threads, such as a frame on its way to the screen; counters ("C"); and the
threads' names ("M"). Times are microseconds since the trace began.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError

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

    @contextmanager
    def doing(self, name: str) -> Iterator[None]:
        """Trace the body of a `with` block, also if it raises."""
        start_s = time.monotonic()
        try:
            yield
        finally:
            self.slice(name, start_s, time.monotonic())

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
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as file:
                json.dump(content, file, separators=(",", ":"), allow_nan=False)
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

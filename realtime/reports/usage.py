"""What the program takes of the machine: processor time and memory, sampled while results come (one thread).

The processes that it started count, too: the 3D window draws in one of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psutil

T = TypeVar("T")
SAMPLE_S: Final = 0.5
_LOOK_FOR_OTHERS_S: Final = 5.0
"""How often to look for processes it started: that reads all that run on the machine."""


@dataclass(frozen=True)
class Usage:
    """Processor and memory of a run after its warm-up."""

    cpu_cores: float
    """Cores that were busy with it, in the mean."""
    cpu_ms_per_frame: float
    """Processor time of all threads."""
    memory_mb: float
    """Resident at the end, 10^6 bytes."""
    memory_peak_mb: float
    """The largest of all samples."""
    memory_own_mb: float
    """Of what is resident at the end, what no other process shares: the rest are pages of libraries and files."""

    def lines(self) -> list[str]:
        """The same for a table."""
        return [
            f"processor   {self.cpu_cores:.2f} cores busy, {self.cpu_ms_per_frame:.1f} ms of processor time a frame",
            f"memory      {self.memory_mb:.0f} MB at the end, {self.memory_peak_mb:.0f} MB at most; "
            f"{self.memory_own_mb:.0f} MB its own, the rest pages of libraries",
        ]


class UsageMeter:
    """Begin it when the warm-up is over, `sample` it with every frame, ask it for the `usage` at the end."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._others: list[psutil.Process] = []
        self._looked_s = -math.inf
        self._begin_s = self._sampled_s = time.monotonic()
        self._begin_cpu_s = self._cpu_s()
        self._frames = 0
        self._peak = self._memory = self._resident()

    def sample(self) -> tuple[float, float] | None:
        """Count a frame; twice a second, (memory in MB, busy cores since the beginning), in between None."""
        self._frames += 1
        now_s = time.monotonic()
        if now_s - self._sampled_s < SAMPLE_S:
            return None
        self._sampled_s = now_s
        self._memory = self._resident()
        self._peak = max(self._peak, self._memory)
        return self._memory / 1e6, (self._cpu_s() - self._begin_cpu_s) / (now_s - self._begin_s)

    def usage(self) -> Usage | None:
        """Of the time so far; None before the first frame."""
        spent_s = time.monotonic() - self._begin_s
        if self._frames == 0 or spent_s <= 0:
            return None
        cpu_s = self._cpu_s() - self._begin_cpu_s
        memory = self._resident()
        peak, own = max(self._peak, memory), self._own()
        return Usage(cpu_s / spent_s, 1e3 * cpu_s / self._frames, memory / 1e6, peak / 1e6, own / 1e6)

    def _cpu_s(self) -> float:
        return sum(times.user + times.system for times in self._each(psutil.Process.cpu_times))

    def _resident(self) -> int:
        return sum(int(memory.rss) for memory in self._each(psutil.Process.memory_info))

    def _own(self) -> int:
        return sum(int(memory.uss) for memory in self._each(psutil.Process.memory_full_info))

    def _each(self, ask: Callable[[psutil.Process], Any]) -> Iterator[Any]:
        """The answer of each process that still runs."""
        if time.monotonic() - self._looked_s > _LOOK_FOR_OTHERS_S:
            self._looked_s = time.monotonic()
            self._others = self._process.children(recursive=True)
        return of_each((self._process, *self._others), ask)


def of_each(processes: Iterable[psutil.Process], ask: Callable[[psutil.Process], T]) -> Iterator[T]:
    """The answer of each process that still runs."""
    for process in processes:
        with suppress(psutil.Error):
            yield ask(process)

"""What an hour of `benchmarks.soak` says: a leak, a drop, or that it held (pure functions, but for the last two).

Frames a second of the clock are the machine's as much as the program's: where other programs took part of it most of
the time, the rate is judged by frames a second of the program's own processor time. Those fall, too, while somebody
else works beside it (shared caches, two threads of one core), but never rise; so there the best minutes count.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import psutil

from realtime.reports.usage import of_each

MEMORY_SHARE: Final = 0.05
"""So much more memory than after the warm-up is a leak."""
RATE_SHARE: Final = 0.1
"""So much slower in the last third than in the first is a drop; processors clock down by less."""
OTHERS_SHARE: Final = 0.1
"""More of the machine than this with other programs: a minute in which the clock says nothing."""
BEST_SHARE: Final = 0.25
"""Of a third of the minutes: those that were disturbed least."""


@dataclass(frozen=True)
class Minute:
    """What was seen at the end of a minute, between two turns."""

    frames_per_s: float
    """Of the recorded turns, by the clock."""
    frames_per_cpu_s: float
    """Of the recorded turns, by the processor time of the program's process (the 3D window has one of its own)."""
    others: float
    """Share of the machine's processor time that others took, 0 to 1: programs, and a virtual machine's host."""
    memory_mb: float
    threads: int
    files: int
    windows: int

    def line(self, number: int) -> str:
        """For the terminal."""
        return (
            f"minute {number:3d}  {self.frames_per_s:6.1f} frames/s  {self.frames_per_cpu_s:6.1f} frames/CPU s  "
            f"others {100 * self.others:3.0f} %  {self.memory_mb:6.0f} MB  {self.threads} threads  "
            f"{self.files} files  {self.windows} windows"
        )


@dataclass(frozen=True)
class Spent:
    """Seconds of all processors together since some moment; the difference of two readings means something."""

    whole: float
    busy: float
    own: float
    """By this process and those it started."""


def others_share(before: Spent, after: Spent) -> float:
    """Share of the processors' time between two readings that went to neither this program nor idleness."""
    whole = after.whole - before.whole
    others = (after.busy - before.busy) - (after.own - before.own)
    return min(1.0, max(0.0, others / whole)) if whole > 0 else 0.0


def problems(minutes: Sequence[Minute]) -> list[str]:
    """What is wrong, a line each; the first tenth, one minute at least, is warm-up."""
    kept = _after_warm_up(minutes)
    if len(kept) < 2:
        return ["too short to tell: at least three minutes are needed"]
    found = []
    most = max(minute.memory_mb for minute in kept)
    if most > (1 + MEMORY_SHARE) * kept[0].memory_mb:
        found.append(f"memory grew from {kept[0].memory_mb:.0f} to {most:.0f} MB")
    before, after, unit = _rates(kept)
    if after < (1 - RATE_SHARE) * before:
        found.append(f"the rate fell from {before:.1f} to {after:.1f} {unit}")
    for name in ("threads", "files", "windows"):
        begin, end = getattr(kept[0], name), getattr(kept[-1], name)
        if end > begin:
            found.append(f"{name}: {begin} after the warm-up, {end} at the end")
    return found


def how_judged(minutes: Sequence[Minute]) -> str:
    """How the rate was judged and what it was, in a line; empty where it is too short."""
    kept = _after_warm_up(minutes)
    if len(kept) < 2:
        return ""
    before, after, unit = _rates(kept)
    disturbed = sum(_is_disturbed(minute) for minute in kept)
    why = f"; other programs took over {100 * OTHERS_SHARE:.0f} % of the machine in {disturbed} of {len(kept)} minutes"
    return f"rate {before:.1f} -> {after:.1f} {unit} from the first to the last third{why if disturbed else ''}"


def _rates(kept: Sequence[Minute]) -> tuple[float, float, str]:
    """The first and the last third's: by the clock where half of their minutes were undisturbed, by those."""
    third = max(1, len(kept) // 3)
    parts = kept[:third], kept[-third:]
    quiet = [[minute.frames_per_s for minute in part if not _is_disturbed(minute)] for part in parts]
    if all(2 * len(rates) >= third for rates in quiet):
        return statistics.median(quiet[0]), statistics.median(quiet[1]), "frames/s"
    before, after = (_best([minute.frames_per_cpu_s for minute in part]) for part in parts)
    return before, after, "frames per second of processor time (the best minutes)"


def _best(rates: Sequence[float]) -> float:
    """Mean of the best quarter."""
    return statistics.mean(sorted(rates)[-max(1, round(BEST_SHARE * len(rates))) :])


def _is_disturbed(minute: Minute) -> bool:
    return minute.others > OTHERS_SHARE


def _after_warm_up(minutes: Sequence[Minute]) -> Sequence[Minute]:
    return minutes[max(1, len(minutes) // 10) :]


def spent() -> Spent:
    """As it is now. What an ended process had taken is counted where it was waited for."""
    times = psutil.cpu_times()
    whole = sum(getattr(times, name, 0.0) for name in _COUNTED)
    own = sum(_of_own(lambda process: sum(process.cpu_times()[:4])))  # user and system, also of those it waited for
    return Spent(whole, whole - times.idle - getattr(times, "iowait", 0.0), own)


def resident_mb() -> float:
    """Memory (10^6 bytes) of this process and those it started: the 3D window has one of its own."""
    return sum(_of_own(lambda process: process.memory_info().rss)) / 1e6


def _of_own(ask: Callable[[psutil.Process], float]) -> Iterator[float]:
    """The answer of this process and each that it started."""
    me = psutil.Process()
    return of_each((me, *me.children(recursive=True)), ask)


_COUNTED: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""Linux has guests' time, too, which is in the users' already; others have fewer."""

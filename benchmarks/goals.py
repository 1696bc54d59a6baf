"""What the whole way is to reach on two cores, what it reached, and what bounds each figure (pure functions)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks.side_by_side import Rate
from benchmarks.whole_way import Case, Outcome

_WITH_WINDOWS: Final = 0.85
"""Windows may take so much of the results at most."""
_SHOWN_HZ: Final = 29.0
"""Of a source of 30 Hz."""


@dataclass(frozen=True)
class Judgement:
    """One goal."""

    what: str
    goal: str
    figure: str
    met: bool | None
    """None: it was not measured."""
    bound: str = ""
    """What the figure consists of, with numbers."""

    def cells(self) -> list[str]:
        """A row of the table."""
        return [self.what, self.goal, self.figure, {True: "met", False: "not met", None: ""}[self.met], self.bound]


COLUMNS: Final = ("goal on two cores, lite", "aim", "here", "", "what bounds it")


def judged(outcomes: Sequence[Outcome], rates: Sequence[Rate], backend: str) -> list[Judgement]:
    """Every goal, by the runs of the first backend."""
    ran = {one.case: one for one in outcomes if not one.skipped}

    def of(*, size: str = "480p", window: bool = False, replay: bool = False) -> Outcome | None:
        return ran.get(Case(size, 2, window, backend, replay))

    full, windows = of(), of(window=True)
    replay, shown = of(replay=True), of(window=True, replay=True)
    return [
        _more("frames/s, no window", 110, full, lambda one: one.frames_per_s),
        *(_faster(hands, least, rates) for hands, least in ((2, 2.2), (1, 1.7))),
        _unhindered(replay, shown),
        _more("shown a second, both windows, of 30", _SHOWN_HZ, shown, lambda one: one.shown_per_s),
        _less("p95 ms to display, 30 Hz, no window", 15, replay, lambda one: one.age_p95_ms),
        _less("p95 ms to display, 30 Hz, both windows", 40, shown, lambda one: one.age_p95_ms),
        _less("first frame s, no window", 1.5, full, lambda one: one.first_frame_s, _start),
        _less("first frame s, both windows", 2.5, windows, lambda one: one.first_frame_s, _start),
        _less("MB, no window", 350, full, lambda one: one.memory_peak_mb, _own),
        _less("MB, both windows", 600, windows, lambda one: one.memory_peak_mb, partial(_beside, full)),
        _more("frames/s, 1080p recording", 70, of(size="1080p"), lambda one: one.frames_per_s),
    ]


def summary(judgements: Sequence[Judgement]) -> str:
    """One line."""
    met = sum(one.met is True for one in judgements)
    missing = sum(one.met is None for one in judgements)
    return f"{met} of {len(judgements)} goals met" + (f", {missing} not measured" if missing else "")


def _stages(one: Outcome) -> str:
    return f"{one.slowest()} ms a frame; {one.cpu_ms_per_frame:.1f} ms of processor time"


def _start(one: Outcome) -> str:
    before_s = one.first_frame_s - one.first_result_s
    return (
        f"{before_s:.1f} s Python and its packages and the window, {one.first_result_s:.1f} s network, detector, source"
    )


def _own(one: Outcome) -> str:
    shared = one.memory_peak_mb - one.memory_own_mb
    return f"{one.memory_own_mb:.0f} are its own, {shared:.0f} pages of libraries (`benchmarks.memory` tells more)"


def _beside(alone: Outcome | None, one: Outcome) -> str:
    if alone is None:
        return ""
    more = one.memory_peak_mb - alone.memory_peak_mb
    return f"the windows, the 3D one's process too, take {more:.0f} of them (`benchmarks.memory --windows`)"


Value = Callable[[Outcome], float]
Bound = Callable[[Outcome], str]


def _more(what: str, least: float, one: Outcome | None, value: Value, bound: Bound = _stages) -> Judgement:
    if one is None:
        return Judgement(what, f"{least:g} or more", "not measured", None)
    return Judgement(what, f"{least:g} or more", f"{value(one):.1f}", value(one) >= least, bound(one))


def _less(what: str, most: float, one: Outcome | None, value: Value, bound: Bound = _stages) -> Judgement:
    if one is None:
        return Judgement(what, f"{most:g} or less", "not measured", None)
    return Judgement(what, f"{most:g} or less", f"{value(one):.1f}", value(one) <= most, bound(one))


def _faster(hands: int, least: float, rates: Sequence[Rate]) -> Judgement:
    what, goal = f"times MediaPipe, complexity 1, {hands} hand{'s' * (hands > 1)}", f"{least:g} or more"
    found = [rate for rate in rates if rate.hands == hands and rate.name.endswith("complexity 1")]
    if not found:
        return Judgement(what, goal, "not measured", None)
    ours = next(rate for rate in rates if rate.hands == hands and rate.size == found[0].size)
    spent = f"{ours.cpu_ms_per_frame:.1f} ms of processor time a frame; MediaPipe {found[0].cpu_ms_per_frame:.1f} ms"
    return Judgement(what, goal, f"{found[0].ratio:.2f}", found[0].ratio >= least, spent)


def _unhindered(alone: Outcome | None, beside: Outcome | None) -> Judgement:
    what, goal = "results at 30 Hz with windows, of those without", f"{_WITH_WINDOWS:g} or more"
    if alone is None or beside is None:
        return Judgement(what, goal, "not measured", None)
    share = beside.frames_per_s / alone.frames_per_s
    return Judgement(what, goal, f"{share:.2f}", share >= _WITH_WINDOWS, _stages(beside))

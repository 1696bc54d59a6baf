"""Where results go: `source -> pipeline -> sinks`. What a sink is, and how several are fed and ended.

A sink of every result is fed in the thread that infers (of a recording: the main one), a sink of the newest in the main
thread, which owns the windows; live, those that come while it is busy are left out.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from types import TracebackType

from typing_extensions import Self

from realtime.live import Result, run_live, run_recorded
from realtime.messages import Frame, HandFrame
from realtime.sources.opening import Source
from realtime.timing import OnStage

_log = logging.getLogger(__name__)


class Sink(ABC):
    """One way out: a file, a stream, a window, a summary."""

    @abstractmethod
    def take(self, result: Result) -> None:
        """One result, always from the same thread."""

    def is_running(self) -> bool:
        """False once somebody closed it. Asked in the main thread, also while no result comes."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Finish what was begun, in the main thread; a second call does nothing. Raises UserError."""


class Each(Sink):
    """A function that gets results, and has nothing to finish."""

    def __init__(self, take: Callable[[Result], None]) -> None:
        self._take = take

    def take(self, result: Result) -> None:
        """Pass it on."""
        self._take(result)

    def close(self) -> None:
        """Do nothing."""


class Sinks:
    """`with Sinks(...) as sinks:`, then `every` and `newest` add some; they are closed in the opposite order.

    `on_stage` are told how long each took with a result, by its name; neighbours of one name count together, and one
    without a name counts as nobody.
    """

    def __init__(self, on_stage: Sequence[OnStage] = ()) -> None:
        self._on_stage = tuple(on_stage)
        self._every: list[tuple[str, Sink]] = []
        self._newest: list[tuple[str, Sink]] = []
        self._opened: list[Sink] = []

    def every(self, sink: Sink | None, name: str = "") -> None:
        """Feed it every result, in the thread that infers. None, what was not asked for, is left out."""
        self._add(self._every, sink, name)

    def newest(self, sink: Sink | None, name: str = "") -> None:
        """Feed it the newest result whenever the main thread is free."""
        self._add(self._newest, sink, name)

    def keep(self, result: Result) -> None:
        """Every result, in the thread that infers."""
        self._feed(self._every, result)

    def show(self, result: Result) -> None:
        """The newest result, in the main thread."""
        self._feed(self._newest, result)

    def is_running(self) -> bool:
        """False as soon as one was closed; asks all, so that every window gets its events."""
        return all([sink.is_running() for sink in self._opened])

    def __enter__(self) -> Self:
        """Nothing is open yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all, the last one first, whatever happens. What failed is raised then; behind an error it is logged."""
        failures: list[BaseException] = []
        for sink in reversed(self._opened):
            try:
                sink.close()
            except BaseException as failure:  # noqa: BLE001 - the others still hold windows and files
                failures.append(failure)
        hard = (one for one in failures if not isinstance(one, Exception))  # such as somebody's second Ctrl-C
        worst = next(hard, failures[0] if failures and error is None else None)
        for late in failures:
            if late is not worst:
                _log.warning("%s", late)
        if worst is not None:
            raise worst

    def _add(self, to: list[tuple[str, Sink]], sink: Sink | None, name: str) -> None:
        if sink is not None:
            to.append((name, sink))
            self._opened.append(sink)

    def _feed(self, sinks: list[tuple[str, Sink]], result: Result) -> None:
        for name, group in groupby(sinks, itemgetter(0)):
            start_s = time.monotonic()
            for _, sink in group:
                sink.take(result)
            end_s = time.monotonic()
            for tell in self._on_stage if name else ():
                tell(name, start_s, end_s)


def flow(source: Source, pipeline: Callable[[Frame], HandFrame], sinks: Sinks, should_stop: Callable[[], bool]) -> None:
    """Run an entered source through the pipeline into the sinks, live or frame by frame (main thread).

    Ends with the source, with a window that is closed, or when `should_stop()` says so.
    """

    def over() -> bool:
        return should_stop() or not sinks.is_running()

    if source.is_live:
        run_live(source, pipeline, sinks.show, over, sinks.keep)
        return
    for result in run_recorded(source, pipeline):
        sinks.keep(result)
        sinks.show(result)
        if over():
            break

"""Runs a source through a pipeline: live with three threads, or a recording frame by frame.

Live: the source's own thread captures; a thread of this module infers; the caller's thread (the main one, which owns
the windows) takes results. Between them lies one slot each, so that nobody works on an old frame.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from realtime.handover import Mailbox, MailboxClosed
from realtime.messages import Frame, HandFrame
from realtime.sources.ahead import read_ahead
from realtime.sources.opening import Source

POLL_S: Final = 0.02
"""How often `should_stop` is asked, at least, while no result comes."""
JOIN_S: Final = 0.8
"""How long the threads may take to end, all together; the whole program is to end within a second."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """A frame and what the pipeline saw in it."""

    frame: Frame
    hands: HandFrame
    t_done_s: float
    """Monotonic clock when the result was ready."""
    latency_ms: float
    """From capture (recordings: from when the frame was asked for) to `t_done_s`."""
    read_ms: float
    """The part of it until the pipeline had the frame: decoding and, if live, waiting in the slot."""

    @property
    def t_asked_s(self) -> float:
        """Monotonic clock at capture (recordings: when the frame was asked for)."""
        return self.t_done_s - self.latency_ms / 1e3


@dataclass(frozen=True)
class LiveSummary:
    """How a live run went."""

    results: int
    frames_dropped: int
    """Frames of the source that the pipeline never saw."""
    results_skipped: int
    """Results that `on_result` never saw because a newer one was there."""


def run_live(
    source: Source,
    pipeline: Callable[[Frame], HandFrame],
    on_result: Callable[[Result], None],
    should_stop: Callable[[], bool] = lambda: False,
    on_every_result: Callable[[Result], None] | None = None,
) -> LiveSummary:
    """Run until the source ends or `should_stop()` is true; call it from the main thread, with an entered source.

    `on_result` and `should_stop` are called in this thread; `should_stop` at least every 20 ms, so it may keep the
    window's events going. `on_every_result` (the track file) is called in the inference thread, for every result.
    An error of any thread is raised here with its traceback, after all threads have ended. The source is closed.
    """
    worker = Inference(source, pipeline, on_every_result)
    taken = 0
    worker.start()
    try:
        while not should_stop():
            try:
                result = worker.results.get(POLL_S)
            except TimeoutError:
                continue
            except MailboxClosed:
                break
            taken += 1
            on_result(result)
    finally:
        end_s = time.monotonic() + JOIN_S
        source.close()
        worker.results.close()
        worker.join(max(end_s - time.monotonic(), 0.0))
    if worker.is_alive():
        _log.warning("the inference thread still works on its last frame; it is left behind")
    if worker.error is not None:
        raise worker.error
    return LiveSummary(taken, source.dropped, worker.done - taken)


def run_recorded(source: Source, pipeline: Callable[[Frame], HandFrame], previous: int = -1) -> Iterator[Result]:
    """Run every frame of a recording through the pipeline, in order, in the caller's thread; another reads ahead.

    `previous` is the index of the last frame that was done before, if the recording is taken up again.
    """
    asked_s = time.monotonic()
    for frame in read_ahead(source):
        yield _infer(pipeline, frame, previous, asked_s)
        previous = frame.index
        asked_s = time.monotonic()


class Frames(Protocol):
    """The part of a `Source` that inference needs."""

    @property
    def is_live(self) -> bool:
        """Return whether capture times are of `time.monotonic()`."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames to the end."""


class Inference(threading.Thread):
    """Takes the source's frames and leaves results, the newest one in `results`; ends with the source."""

    def __init__(
        self,
        source: Frames,
        pipeline: Callable[[Frame], HandFrame],
        on_every_result: Callable[[Result], None] | None,
    ) -> None:
        # Daemon: a driver that hangs in its last call must not keep the program from ending.
        super().__init__(name="inference", daemon=True)
        self.results: Mailbox[Result] = Mailbox()
        self.error: BaseException | None = None
        self.done = 0
        self._source, self._pipeline, self._on_every_result = source, pipeline, on_every_result

    def run(self) -> None:
        """Work until the source ends; the thread's own."""
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the main thread
            self.error = error
        finally:
            self.results.close()

    def _loop(self) -> None:
        previous = -1
        for frame in self._source:
            since_s = frame.t_capture_s if self._source.is_live else time.monotonic()
            result = _infer(self._pipeline, frame, previous, since_s)
            previous = frame.index
            if self._on_every_result is not None:
                self._on_every_result(result)
            self.done += 1
            self.results.put(result)


def _infer(pipeline: Callable[[Frame], HandFrame], frame: Frame, previous: int, since_s: float) -> Result:
    started_s = time.monotonic()
    hands = pipeline(frame)
    done_s = time.monotonic()
    hands = replace(hands, dropped=frame.index - previous - 1)
    return Result(frame, hands, done_s, (done_s - since_s) * 1e3, (started_s - since_s) * 1e3)

"""Sinks: who gets which results in which thread, how long it took, and that one that fails takes no other along."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from engines.errors import UserError
from realtime.live import Result
from realtime.messages import Frame, HandFrame
from realtime.sinks import Each, Sink, Sinks, flow
from realtime.sources.live_source import ReplaySource
from realtime.sources.recording import VideoSource
from realtime.tracks.reader import load_tracks
from realtime.tracks.writer import TrackWriter
from tests.support.hand_frames import INTRINSICS, hand_frame
from tests.support.video_files import steady, write_video

SIZE = (160, 120)


class Shelf(Sink):
    """Keeps what it gets, and says in which order things were closed."""

    def __init__(self, name: str = "", closed: list[str] | None = None, failure: BaseException | None = None) -> None:
        self.name, self.closed, self.failure = name, [] if closed is None else closed, failure
        self.indices: list[int] = []
        self.threads: set[str] = set()
        self.running = True

    def take(self, result: Result) -> None:
        self.indices.append(result.frame.index)
        self.threads.add(threading.current_thread().name)

    def is_running(self) -> bool:
        return self.running

    def close(self) -> None:
        self.closed.append(self.name)
        if self.failure is not None:
            raise self.failure


def result(index: int = 0) -> Result:
    frame = Frame(index, index / 30, np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    return Result(frame, hand_frame("right", index=index), time.monotonic(), 1.0, 0.5)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("clip") / "a.mp4", steady(40, 50), SIZE)


def see(frame: Frame) -> HandFrame:
    return HandFrame(frame.index, frame.t_capture_s, (), INTRINSICS, SIZE)


def test_a_recording_gives_every_frame_to_all_in_one_thread(clip: Path) -> None:
    every, newest = Shelf(), Shelf()
    with VideoSource(clip) as source, Sinks() as sinks:
        sinks.every(every)
        sinks.newest(newest)
        flow(source, see, sinks, lambda: False)
    assert every.indices == newest.indices == list(range(40))
    assert every.threads | newest.threads == {threading.current_thread().name}


def test_live_a_slow_window_misses_results_and_the_others_do_not(clip: Path) -> None:
    every, newest = Shelf(), Shelf()
    with ReplaySource(clip) as source, Sinks() as sinks:
        sinks.every(every)
        sinks.newest(newest)
        sinks.newest(Each(lambda _: time.sleep(0.1)))
        flow(source, see, sinks, lambda: False)
        dropped = source.dropped
    assert len(every.indices) == 40 - dropped > 2 * len(newest.indices) > 0
    assert set(newest.indices) <= set(every.indices)
    assert every.threads == {"inference"}
    assert newest.threads == {threading.current_thread().name}


@pytest.mark.parametrize("live", [False, True])
def test_whoever_is_closed_ends_the_run(clip: Path, live: bool) -> None:
    window = Shelf()

    def leave(_: Result) -> None:
        window.running = False

    with ReplaySource(clip) if live else VideoSource(clip) as source, Sinks() as sinks:
        sinks.newest(window)
        sinks.newest(Each(leave))
        flow(source, see, sinks, lambda: False)
    assert len(window.indices) == 1


def test_time_is_told_by_name_and_neighbours_count_together() -> None:
    told: list[tuple[str, float]] = []
    with Sinks([lambda name, start_s, end_s: told.append((name, end_s - start_s))]) as sinks:
        sinks.every(Each(lambda _: time.sleep(0.01)), "slow")
        sinks.every(Shelf())
        sinks.newest(Each(lambda _: time.sleep(0.01)), "show")
        sinks.newest(Each(lambda _: time.sleep(0.01)), "show")
        sinks.newest(None, "never")
        sinks.keep(result())
        sinks.show(result())
    assert [name for name, _ in told] == ["slow", "show"]
    assert told[0][1] >= 0.01
    assert told[1][1] >= 0.02


@pytest.mark.parametrize(
    "failure",
    [UserError("the disk is full"), RuntimeError("the window is gone"), KeyboardInterrupt()],
    ids=lambda one: type(one).__name__,
)
def test_one_that_fails_to_close_leaves_no_other_open(failure: BaseException) -> None:
    closed: list[str] = []
    with pytest.raises(type(failure)), Sinks() as sinks:
        for name in "abc":
            sinks.every(Shelf(name, closed, failure if name == "b" else None))
    assert closed == ["c", "b", "a"]


def test_behind_an_error_what_fails_is_a_note(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError), Sinks() as sinks:
        sinks.every(Shelf(failure=UserError("the disk is full")))
        _ = 1 / 0
    assert "the disk is full" in caplog.text


def test_all_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """One is raised; the others may know how to save what was tracked."""
    with pytest.raises(UserError, match="the video"), Sinks() as sinks:
        sinks.every(Shelf(failure=UserError("the tracks are safe in the part")))
        sinks.every(Shelf(failure=UserError("the video cannot be written")))
    assert "the tracks are safe in the part" in caplog.text


def test_tracks_are_finished_when_a_window_breaks_down(tmp_path: Path) -> None:
    def broken(one: Result) -> None:
        if one.frame.index == 3:
            raise RuntimeError("the window is gone")

    out = tmp_path / "t.npz"
    hands = hand_frame("left")
    with pytest.raises(RuntimeError), Sinks() as sinks:
        sinks.every(TrackWriter(out, hands.intrinsics, hands.size_px, "{}", "{}"), "tracks")
        sinks.newest(Each(broken), "show")
        for index in range(9):
            sinks.keep(result(index))
            sinks.show(result(index))
    assert len(load_tracks(out)) == 4

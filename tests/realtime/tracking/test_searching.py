"""The search beside: it holds nobody up, answers once, and ends."""

from __future__ import annotations

import threading
import time

import pytest

from realtime.messages import Frame, HandBox
from realtime.sources.recording import VideoSource
from realtime.tracking.finder import HandFinder
from realtime.tracking.searching import SearchAtOnce, SearchBeside
from tests.support.recordings import SAMPLE


@pytest.fixture(scope="module")
def frame() -> Frame:
    with VideoSource(SAMPLE) as source:
        return next(frame for frame in source if frame.index == 150)


def wait_for(search: SearchBeside) -> list[HandBox]:
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        boxes = search.found()
        if boxes is not None:
            return boxes
        time.sleep(0.005)
    raise AssertionError("no answer")


def test_both_find_the_same_and_the_one_beside_holds_nobody_up(frame: Frame) -> None:
    at_once, beside = SearchAtOnce(HandFinder(0.5)), SearchBeside(HandFinder(0.5))
    boxes = at_once(frame)
    assert boxes is not None
    assert len(boxes) == 2
    started_s = time.thread_time()
    assert beside(frame) is None
    assert time.thread_time() - started_s < 0.002
    found = wait_for(beside)
    assert [box.side for box in found] == [box.side for box in boxes]
    assert [box.crop for box in found] == [box.crop for box in boxes]
    at_once.close()
    beside.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "detection"]


def test_an_error_of_the_thread_is_raised_where_it_is_asked() -> None:
    beside = SearchBeside(HandFinder(0.5))
    assert beside(Frame(0, 0.0, None)) is None  # type: ignore[arg-type]  # no picture at all
    with pytest.raises(AttributeError):
        wait_for(beside)
    beside.close()

"""Reading ahead gives what reading gives, and ends when nobody wants more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime.messages import Frame
from realtime.sources.ahead import read_ahead
from realtime.sources.recording import VideoSource
from tests.support.video_files import steady, write_video


def frames(count: int, taken: list[int], fail_at: int = -1) -> Iterator[Frame]:
    for i in range(count):
        if i == fail_at:
            raise OSError("the disk was pulled out")
        taken.append(i)
        yield Frame(i, i / 30, np.full((2, 2, 3), i, np.uint8))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "decoding"]


def test_the_same_frames_in_the_same_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(40))
    with VideoSource(path) as plain, VideoSource(path) as ahead:
        for a, b in zip(plain, read_ahead(ahead), strict=True):
            assert (a.index, a.t_capture_s) == (b.index, b.t_capture_s)
            np.testing.assert_array_equal(a.image_bgr, b.image_bgr)
    assert threads() == []


def test_the_next_frame_is_read_while_one_is_worked_on() -> None:
    taken: list[int] = []
    reading = read_ahead(frames(10, taken))
    next(reading)
    end_s = time.monotonic() + 5
    while len(taken) < 3 and time.monotonic() < end_s:
        time.sleep(0.01)
    time.sleep(0.05)
    assert taken == [0, 1, 2]
    reading.close()  # type: ignore[attr-defined]  # it is a generator
    assert threads() == []


def test_an_error_comes_behind_the_frames_before_it() -> None:
    seen = []
    with pytest.raises(OSError, match="pulled out"):
        for frame in read_ahead(frames(10, [], fail_at=4)):
            seen.append(frame.index)
    assert seen == [0, 1, 2, 3]
    assert threads() == []

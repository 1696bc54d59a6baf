"""Viewers as one, the playhead, and whether there is a display."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.messages import HandFrame
from tests.support.hand_frames import hand_frame
from viz.playback.playhead import FASTEST, SLOWEST, Playhead
from viz.viewer import CompositeViewer, Display
from viz.window.display import has_display, require_display

PICTURE = np.zeros((4, 4, 3), np.uint8)
TIMES_S = np.array([100.0, 100.1, 100.2, 100.5, 101.0])


@dataclasses.dataclass
class Shelf:
    """A view that keeps what it was shown."""

    running: bool = True
    fails: bool = False
    closed: int = 0
    asked: int = 0
    shown: list[int] = dataclasses.field(default_factory=list)

    def show(self, hand_frame: HandFrame, image_bgr: NDArray[np.uint8]) -> None:
        self.shown.append(hand_frame.index)

    def is_running(self) -> bool:
        self.asked += 1
        return self.running

    def close(self) -> None:
        self.closed += 1
        if self.fails:
            raise UserError("cannot close")


def test_all_views_see_every_result() -> None:
    shelves = [Shelf(), Shelf()]
    viewer = CompositeViewer(shelves)
    for i in range(3):
        viewer.show(hand_frame(index=i), PICTURE)
    assert [shelf.shown for shelf in shelves] == [[0, 1, 2]] * 2
    assert viewer.is_running()


def test_it_ends_with_the_first_closed_view_but_asks_all() -> None:
    shelves = [Shelf(running=False), Shelf()]
    assert not CompositeViewer(shelves).is_running()
    assert [shelf.asked for shelf in shelves] == [1, 1]


def test_one_failing_close_does_not_keep_the_others_open() -> None:
    shelves = [Shelf(fails=True), Shelf()]
    with pytest.raises(UserError, match="cannot close"):
        CompositeViewer(shelves).close()
    assert [shelf.closed for shelf in shelves] == [1, 1]


def test_the_display_switches_back_and_forth() -> None:
    display = Display()
    display.toggle_mirror()
    display.toggle_help()
    assert (display.mirror, display.show_help) == (True, True)
    display.toggle_mirror()
    assert (display.mirror, display.show_help) == (False, True)


@pytest.mark.parametrize("name", ["", ":7654"])
def test_a_missing_display_is_named_with_the_way_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", name)
    assert not has_display()
    with pytest.raises(UserError, match=rf"the window.*{name}.*--headless"):
        require_display("the window")


def test_playback_follows_the_clock_at_its_speed() -> None:
    playhead = Playhead(TIMES_S, speed=2.0, now_s=50.0)
    assert [playhead.advance(50.0 + t) for t in (0.0, 0.04, 0.051, 0.1, 0.24, 0.26, 0.5, 9.0)] == [
        0,
        0,
        1,
        2,
        2,
        3,
        4,
        4,
    ]
    assert playhead.at_end


def test_a_pause_stops_the_time_and_play_goes_on_from_there() -> None:
    playhead = Playhead(TIMES_S, speed=1.0, now_s=0.0)
    assert playhead.advance(0.15) == 1
    playhead.toggle_pause()
    assert playhead.advance(60.0) == 1
    playhead.toggle_pause()
    assert playhead.advance(60.04) == 1
    assert playhead.advance(60.06) == 2


def test_steps_pause_and_stay_within_the_recording() -> None:
    playhead = Playhead(TIMES_S, speed=1.0, now_s=0.0)
    visited = []
    for step in (1, 1, 1, 1, 1, -1, -1, -1, -1, -1):
        playhead.step(step)
        visited.append(playhead.advance(0.0))
    assert visited == [1, 2, 3, 4, 4, 3, 2, 1, 0, 0]
    assert playhead.paused


def test_playing_on_at_the_end_starts_over() -> None:
    playhead = Playhead(TIMES_S, speed=1.0, now_s=0.0)
    assert playhead.advance(5.0) == 4
    playhead.toggle_pause()
    assert playhead.advance(5.0) == 0
    assert not playhead.paused


def test_playing_on_after_stepping_to_the_end_starts_over() -> None:
    playhead = Playhead(TIMES_S, speed=1.0, now_s=0.0)
    playhead.step(10)
    playhead.toggle_pause()
    assert playhead.advance(0.0) == 0
    assert not playhead.paused


@given(st.lists(st.sampled_from([0.5, 2.0]), max_size=20))
def test_speed_stays_within_its_limits(factors: list[float]) -> None:
    playhead = Playhead(TIMES_S, speed=1.0, now_s=0.0)
    for factor in factors:
        playhead.change_speed(factor)
    assert SLOWEST <= playhead.speed <= FASTEST


def test_a_recording_of_one_frame_plays() -> None:
    playhead = Playhead(TIMES_S[:1], speed=1.0, now_s=0.0)
    assert playhead.advance(3.0) == 0


def test_the_playhead_goes_where_it_is_told() -> None:
    head = Playhead(TIMES_S, 1.0, now_s=0.0)
    head.skip(0.25)
    assert (head.index, head.paused) == (2, False)
    head.skip(-9.0)
    assert head.advance(0.1) == 1
    head.seek(3)
    assert (head.advance(50.0), head.paused) == (3, True)
    head.seek(99)
    assert head.at_end

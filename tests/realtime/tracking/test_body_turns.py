"""Bodies are looked for rarely, and never while no hand is missing."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.tracking.body_turns import AFTER_S, BodyTurns, after_frame, is_turn


def looks(held_at: list[int], rate_hz: int) -> list[float]:
    """Times of the looks while so many of two hands are held, frame by frame."""
    turns, times = BodyTurns(), []
    for k, held in enumerate(held_at):
        looked = held < 2 and is_turn(turns, k / rate_hz)
        times += [k / rate_hz] * looked
        turns = after_frame(turns, held, 2, k / rate_hz, looked=looked)
    return times


@pytest.mark.parametrize("rate_hz", [15, 30, 120])
def test_who_shows_one_hand_is_left_alone_ever_longer(rate_hz: int) -> None:
    times = looks([1] * (120 * rate_hz), rate_hz)
    assert times[0] == pytest.approx(AFTER_S, abs=1.1 / rate_hz)
    waits = np.diff(times)
    assert (np.diff(waits) > -1.1 / rate_hz).all()
    assert 15 <= len(times) <= 24


def test_with_both_hands_and_for_a_moment_without_one_nobody_looks() -> None:
    assert looks([2] * 300, 30) == []
    assert looks(([2] * 20 + [1] * 5) * 20, 30) == []


def test_a_hand_that_comes_or_goes_begins_anew() -> None:
    quiet = [1] * 900
    times = looks([*quiet, *[2] * 5, *quiet], 30)
    assert len(times) == 2 * len(looks(quiet, 30))

"""The overlay: it draws where the hands are, nowhere else, and never on the picture it was given."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.skeleton import BONES, SIDES, Side
from realtime.messages import HandFrame
from tests.support.hand_frames import SIZE, hand_frame
from viz.drawing.canvas import Canvas
from viz.drawing.labels import STATUS_HEIGHT, label_place, label_text
from viz.drawing.overlay import draw_overlay
from viz.drawing.palette import OVERLAY_RGB, bgr
from viz.drawing.status import OverlayStatus, StatusMeter

STATUS = OverlayStatus(rate_fps=58.0, latency_ms=17.0)


def blank(size_px: tuple[int, int] = SIZE, level: int = 128) -> NDArray[np.uint8]:
    return np.full((size_px[1], size_px[0], 3), level, np.uint8)


def bare(frame: HandFrame) -> HandFrame:
    """Without crops."""
    return dataclasses.replace(frame, crops=())


def changed(drawn: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) where something was drawn above the status line."""
    differs = (drawn != picture).any(axis=2)
    scale = min(picture.shape[:2]) / 480
    differs[round(picture.shape[0] - STATUS_HEIGHT * scale) - 1 :] = False
    return differs


def near(colour: NDArray[np.uint8], side: Side) -> bool:
    """Whether a drawn colour is nearer to this hand's than to the other's."""
    other = SIDES[1 - SIDES.index(side)]
    distances = {s: np.abs(colour.astype(float) - bgr(OVERLAY_RGB[s])).sum() for s in (side, other)}
    return distances[side] < distances[other]


def test_every_joint_and_bone_of_both_hands_is_drawn_in_its_colour() -> None:
    frame = bare(hand_frame("right", "left"))
    drawn = draw_overlay(blank(), frame, STATUS)
    marks = changed(drawn, blank())
    for hand in frame.hands:
        middles = [(hand.joints_px[child] + hand.joints_px[parent]) / 2 for child, parent in BONES]
        for x, y in np.rint(np.concatenate([hand.joints_px, middles])).astype(int):
            assert marks[y, x]
        x, y = np.rint(hand.joints_px[20]).astype(int)
        assert near(drawn[y, x], hand.side)


def test_without_hands_only_the_status_line_changes() -> None:
    drawn = draw_overlay(blank(), hand_frame(), STATUS)
    assert not changed(drawn, blank()).any()
    assert (drawn[-5] != blank()[-5]).all()


def test_nothing_is_drawn_far_from_the_hand_and_its_label() -> None:
    frame = bare(hand_frame("right"))
    marks = changed(draw_overlay(blank(), frame, STATUS), blank())
    canvas = Canvas(blank(), SIZE, mirror=False)
    left, top, right, bottom = label_place(canvas, frame.hands[0], [])
    marks[top:bottom, left:right] = False
    ys, xs = np.nonzero(marks)
    low, high = frame.hands[0].joints_px.min(axis=0) - 12, frame.hands[0].joints_px.max(axis=0) + 12
    assert xs.min() >= low[0]
    assert xs.max() <= high[0]
    assert ys.min() >= low[1]
    assert ys.max() <= high[1]


def test_crops_are_drawn_at_their_corners() -> None:
    frame = dataclasses.replace(hand_frame("right"), hands=())
    marks = changed(draw_overlay(blank(), frame, STATUS), blank())
    for x, y in np.rint(frame.crops[0].corners_px()).astype(int):
        if 0 <= x < SIZE[0] and 0 <= y < 440:
            assert marks[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].any()
    assert marks.any()


@pytest.mark.parametrize("mirror", [False, True])
def test_the_picture_given_stays_as_it_was(mirror: bool) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    before = picture.copy()
    picture.setflags(write=False)
    drawn = draw_overlay(picture, hand_frame("right", "left"), STATUS, mirror=mirror)
    np.testing.assert_array_equal(picture, before)
    assert not np.shares_memory(drawn, picture)


def test_mirrored_geometry_is_the_flipped_geometry() -> None:
    """Without labels: every joint and crop lies where flipping the plain overlay puts it."""
    picture = np.random.default_rng(1).integers(0, 100, (480, 640, 3), dtype=np.uint8)
    frame = hand_frame("right", "left")
    plain = changed(draw_overlay(picture, frame, STATUS), picture)
    mirrored = changed(draw_overlay(picture, frame, STATUS, mirror=True), cv2.flip(picture, 1))
    hands = np.zeros((480, 640), np.uint8)
    for hand in frame.hands:
        for child, parent in BONES:
            ends = np.rint(hand.joints_px[[child, parent]]).astype(int).tolist()
            cv2.line(hands, ends[0], ends[1], 1, 9)
    inside = hands.astype(bool)
    # Anti-aliasing may differ by a grey level at the rim of a stroke.
    assert (plain[inside] == mirrored[:, ::-1][inside]).mean() > 0.99
    assert plain[inside].mean() > 0.5


def test_text_is_never_mirrored() -> None:
    frame, strip = hand_frame(), slice(-round(STATUS_HEIGHT) + 1, None)
    plain, mirrored = (draw_overlay(blank(), frame, STATUS, mirror=m)[strip, :300] for m in (False, True))
    np.testing.assert_array_equal(plain, mirrored)
    assert not np.array_equal(plain, plain[:, ::-1])


@pytest.mark.parametrize("size_px", [(640, 480), (1920, 1080), (3840, 2160), (64, 48), (1, 1), (7, 301)])
def test_any_size_works_and_strokes_grow_with_it(size_px: tuple[int, int]) -> None:
    drawn = draw_overlay(blank(size_px), hand_frame("right", "left"), STATUS, help_lines=["H: help"])
    assert drawn.shape == (size_px[1], size_px[0], 3)
    if min(size_px) >= 480:
        frame = bare(hand_frame("right"))
        share = changed(draw_overlay(blank(size_px), frame, STATUS), blank(size_px)).sum()
        reference = changed(draw_overlay(blank(), frame, STATUS), blank()).sum() * (size_px[1] / 480) ** 2
        assert 0.4 * reference < share < 2.0 * reference


def test_a_doubtful_joint_is_hollow() -> None:
    sure, unsure = (draw_overlay(blank(level=0), bare(hand_frame("right", confidence=c)), STATUS) for c in (0.95, 0.2))
    x, y = np.rint(hand_frame("right").hands[0].joints_px[20]).astype(int)
    assert sure[y, x].max() > 150
    assert unsure[y, x].max() < 80


def test_a_hand_is_labelled_with_side_distance_and_probability() -> None:
    assert label_text(hand_frame("right").hands[0]) == "right 52 cm 97%"


@given(st.floats(-900, 900), st.floats(-700, 700), st.booleans())
def test_labels_stay_inside_and_apart(dx: float, dy: float, mirror: bool) -> None:
    frame = hand_frame("right", "left")
    moved = [dataclasses.replace(hand, joints_px=hand.joints_px + np.float32([dx, dy])) for hand in frame.hands]
    canvas = Canvas(blank(), SIZE, mirror)
    first = label_place(canvas, moved[0], [])
    second = label_place(canvas, moved[1], [first])
    for left, top, right, bottom in (first, second):
        assert left >= 0
        assert top >= 0
        assert right <= SIZE[0]
        assert bottom <= SIZE[1] - STATUS_HEIGHT
    assert first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] or second[3] <= first[1]


def test_hands_far_outside_or_not_finite_do_not_fail() -> None:
    frame = hand_frame("right", "left")
    far = dataclasses.replace(frame.hands[0], joints_px=np.full((21, 2), 3.0e9, np.float32))
    nowhere: dict[str, Any] = {"joints_px": np.full((21, 2), np.nan, np.float32)}
    drawn = draw_overlay(
        blank(),
        dataclasses.replace(frame, crops=(), hands=(far, dataclasses.replace(frame.hands[1], **nowhere))),
        STATUS,
    )
    assert drawn.shape == blank().shape


def test_the_meter_counts_intervals_and_drops() -> None:
    times = iter([10.0, 10.1, 10.2, 10.3])
    meter = StatusMeter(live=True, clock=lambda: next(times))
    frames = [dataclasses.replace(hand_frame(), t_capture_s=9.95 + 0.1 * i, dropped=i % 2) for i in range(4)]
    status = [meter.update(frame) for frame in frames]
    assert status[0].rate_fps is None
    assert status[-1].rate_fps == pytest.approx(10.0)
    assert status[-1].latency_ms == pytest.approx(50.0)
    assert status[-1].dropped == 2


def test_the_meter_of_a_recording_adds_up_the_stages() -> None:
    meter = StatusMeter(live=False)
    assert meter.update(hand_frame("right")).latency_ms == pytest.approx(9.5)
    assert meter.update(dataclasses.replace(hand_frame(), stage_ms={})).latency_ms is None

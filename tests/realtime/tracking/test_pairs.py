"""A place where a detector sees two hands that touch: the network decides, and what is followed suffers nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.geometry.crop import crop_around
from engines.geometry.pinhole import project
from engines.output import NetworkOutput
from engines.pair_boxes import Proposal
from engines.skeleton import SIDES, Side
from realtime.messages import HandBox, Proposed
from realtime.snapshot import freeze, thaw
from realtime.tracking.finder import as_crop
from realtime.tracking.tracker import HandTracker, TrackerState
from tests.realtime.tracking.test_tracker import APART, CAMERA, INPUT_PX, SETTINGS, Scene, answer, assert_hands, near

CLASPED = near(50)


def pair_of(hands: dict[Side, NDArray[np.float64]], shift_px: float = 0.0) -> Proposed:
    crop = crop_around(project(np.concatenate(list(hands.values())), CAMERA))
    return Proposed(replace(crop, center_px=(crop.center_px[0] + shift_px, crop.center_px[1])), SIDES, 0.4)


def test_hands_that_no_palm_detector_finds_are_taken_up_in_one_crop() -> None:
    scene = Scene()
    scene.tracker.acquire([pair_of(CLASPED)], 0.0)
    assert_hands(scene.see(CLASPED), CLASPED)
    assert scene.tracker.sides == SIDES
    for _ in range(10):
        poses = scene.see(CLASPED)
        assert len(scene.plans) == 1
    assert_hands(poses, CLASPED)


@pytest.mark.parametrize("fault", ["one hand", "unsure", "a chin", "a point", "no hands"])
def test_what_the_network_is_not_sure_of_is_no_hand(fault: str) -> None:
    scene = Scene()
    scene.tracker.acquire([pair_of(CLASPED)], 0.0)
    scene.plans = scene.tracker.plan(0.0)
    exact = answer(scene.plans[0], CLASPED)
    changed = {
        "one hand": {"hand_probability": np.array([0.98, 0.3], np.float32)},
        "unsure": {"joint_confidence": np.full(42, 0.04, np.float32)},
        "a chin": {"joint_confidence": np.repeat(np.array([0.75, 0.2], np.float32), 21)},
        "a point": {"joints_crop_px": (INPUT_PX / 2 + 0.1 * (exact.joints_crop_px - INPUT_PX / 2)).astype(np.float32)},
        "no hands": {"hand_probability": np.array([0.1, 0.1], np.float32)},
    }[fault]
    assert scene.fuse([NetworkOutput(**{**vars(exact), **changed})]) == ()
    assert scene.tracker.sides == ()
    assert scene.tracker.plan(0.1) == []  # it is not tried again until it is seen again


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("wrong_name", [False, True])
def test_the_hand_that_is_followed_stays_the_same_hand(side: Side, wrong_name: bool) -> None:
    """Its place counts, whatever the palm detector called it: no jump; the name is put right by evidence."""
    scene = Scene()
    scene.acquire({side: CLASPED[side]}, wrong=wrong_name)
    scene.see({side: CLASPED[side]})
    name = scene.tracker.sides[0]
    scene.tracker.acquire([pair_of(CLASPED)], scene.t_s)
    scene.see(CLASPED)
    assert len(scene.plans) == 2
    track = scene.tracker.state.tracks[name]
    assert track.joints_px is not None
    np.testing.assert_allclose(track.joints_px, project(CLASPED[side], CAMERA), atol=0.5)
    for _ in range(40):
        poses = scene.see(CLASPED)
    assert_hands(poses, CLASPED)


def test_a_false_pair_takes_nothing_from_the_hand_that_is_followed() -> None:
    alone: dict[Side, NDArray[np.float64]] = {"right": APART["right"]}
    with_pairs, without = Scene(), Scene()
    for scene in (with_pairs, without):
        scene.acquire(alone)
    for _ in range(10):
        with_pairs.tracker.acquire([pair_of(alone)], with_pairs.t_s)
        a, b = with_pairs.see(alone), without.see(alone)
        assert len(with_pairs.plans) == 2
        assert [pose.side for pose in a] == [pose.side for pose in b] == ["right"]
        np.testing.assert_array_equal(a[0].joints_px, b[0].joints_px)


def test_a_doubtful_second_hand_that_only_one_picture_shows_never_appears() -> None:
    """Recorded: `asl_hand.25fps.mp4`, frame 15: one hand raised both flags once, and had a second one inside it."""
    alone: dict[Side, NDArray[np.float64]] = {"right": CLASPED["right"]}
    once, twice = Scene(), Scene()
    for scene, shown in ((once, 1), (twice, 2)):
        scene.acquire(alone)
        scene.see(alone)
        scene.tracker.acquire([pair_of(CLASPED)], scene.t_s)
        sides = [_doubtful(scene, CLASPED if k < shown else alone) for k in range(3)]
        assert sides[0] == ["right"]
        assert sides[1] == (["right"] if scene is once else ["right", "left"])
    assert once.tracker.sides == ("right",)
    assert len(once.plans) == 1  # it is not looked for again
    assert twice.tracker.sides == SIDES


def _doubtful(scene: Scene, hands: dict[Side, NDArray[np.float64]]) -> list[Side]:
    """The hands of the next frame, of which the left one's joints are unsure."""
    scene.t_s += scene.step_s
    scene.plans = scene.tracker.plan(scene.t_s)
    unsure = np.repeat(np.array([0.55, 0.22], np.float32), 21)
    answers = [replace(answer(plan, hands), joint_confidence=unsure) for plan in scene.plans]
    return [pose.side for pose in scene.fuse(answers)]


def test_somebody_elses_pair_is_not_tried_and_two_hands_need_no_pair() -> None:
    scene = Scene()
    scene.acquire({"right": CLASPED["right"]})
    scene.see({"right": CLASPED["right"]})
    scene.tracker.acquire([pair_of(CLASPED, shift_px=300)], scene.t_s)
    scene.see({"right": CLASPED["right"]})
    assert len(scene.plans) == 1
    one = HandTracker(SETTINGS.tracker, INPUT_PX, most_hands=1)
    one.acquire([pair_of(CLASPED)], 0.0)
    assert one.plan(0.0) == []
    scene = Scene()
    scene.acquire(APART)
    scene.see(APART)
    scene.tracker.acquire([pair_of(APART)], scene.t_s)
    scene.see(APART)
    assert [len(plan.sides) for plan in scene.plans] == [1, 1]


def test_a_proposal_becomes_the_crop_that_the_joints_would_have() -> None:
    points = np.array([[100.0, 50.0], [200.0, 90.0]])
    low, high = points.min(0), points.max(0)
    grow = 0.1 * (high - low)
    made = as_crop(Proposal("pair", 0.5, np.concatenate([low - grow, high + grow]), 0.0)).crop
    wanted = crop_around(points)
    assert made.side_px == pytest.approx(wanted.side_px)
    assert made.center_px == pytest.approx(wanted.center_px)


def test_palm_boxes_and_pairs_come_together() -> None:
    """The palm detector found one of two clasped hands, in the same picture."""
    scene = Scene()
    found = HandBox("right", crop_around(project(CLASPED["right"], CAMERA)), 0.9)
    scene.tracker.acquire([found, pair_of(CLASPED)], 0.0)
    assert_hands(scene.see(CLASPED), CLASPED)


def hand_at(side: Side, hands: dict[Side, NDArray[np.float64]]) -> Proposed:
    return Proposed(crop_around(project(hands[side], CAMERA)), (side,), 0.3)


def test_single_hands_that_the_palm_detector_misses_are_taken_up_a_frame_later() -> None:
    scene = Scene()
    scene.tracker.acquire([hand_at(side, APART) for side in SIDES], 0.0)
    assert scene.see(APART) == ()
    assert [plan.trial is not None for plan in scene.plans] == [True, True]
    assert_hands(scene.see(APART), APART)


def test_a_place_without_a_hand_is_no_hand_and_a_followed_one_is_not_found_twice() -> None:
    scene = Scene()
    alone: dict[Side, NDArray[np.float64]] = {"right": APART["right"]}
    scene.acquire(alone)
    scene.see(alone)
    scene.tracker.acquire([hand_at("right", APART), hand_at("left", APART)], scene.t_s)
    for _ in range(3):
        assert [pose.side for pose in scene.see(alone)] == ["right"]
        assert scene.tracker.sides == ("right",)
    scene.tracker.acquire([hand_at("right", APART)], scene.t_s)
    scene.see(alone)
    assert len(scene.plans) == 1


def test_what_is_yet_to_be_tried_is_part_of_the_state() -> None:
    scene = Scene()
    scene.tracker.acquire([pair_of(CLASPED)], 0.0)
    kept = json.loads(json.dumps(freeze(scene.tracker.state)))
    other = Scene()
    other.tracker.state = thaw(TrackerState, kept)
    assert other.tracker.plan(0.0) == scene.tracker.plan(0.0)

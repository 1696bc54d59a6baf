"""Capsules, gaps, sliding and curling into contact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from training.synth.hand.closing import close_until_touch
from training.synth.hand.contact import (
    CONTACT_TOLERANCE_MM,
    curl_until_touch,
    gap_mm,
    gaps_mm,
    hand_capsules,
    rest_thumb,
    segment_distance,
    self_gap_mm,
    slide_apart_mm,
    slide_capsules_apart_mm,
)
from training.synth.hand.model import HandSkeleton, HandState, Placement, hand_mesh, hand_skeleton
from training.synth.hand.poses import GESTURES, JointAngles
from training.synth.hand.shape import neutral_shape
from training.synth.pair.settle import settle
from training.synth.story.keyframes import FACING

SIDEWAYS = np.array([1.0, 0.0, 0.0])


def hand_at(x_mm: float, gesture: str = "open", side: str = "right") -> HandSkeleton:
    return hand_skeleton(neutral_shape(), GESTURES[gesture], Placement(np.array([x_mm, 0, 500]), FACING), side)


def test_segment_distance_agrees_with_dense_sampling() -> None:
    rng = np.random.default_rng(0)
    p1, q1, p2, q2 = rng.normal(0, 30, (4, 200, 3))
    share = np.linspace(0, 1, 201)[:, None]
    one = p1[:, None] + share * (q1 - p1)[:, None]
    other = p2[:, None] + share * (q2 - p2)[:, None]
    # pair by pair: all at once would be half a gigabyte
    sampled = np.array([np.linalg.norm(a[:, None] - b, axis=2).min() for a, b in zip(one, other, strict=True)])
    exact = segment_distance(p1, q1, p2, q2)
    assert np.all(exact <= sampled + 1e-9)
    np.testing.assert_allclose(exact, sampled, atol=1.0)


def test_segment_distance_of_parallel_segments() -> None:
    up = np.array([0.0, 1.0, 0.0])
    assert segment_distance(np.zeros(3), up, 3 * SIDEWAYS, 3 * SIDEWAYS + up) == pytest.approx(3.0)
    assert segment_distance(np.zeros(3), up, 3 * up, 5 * up) == pytest.approx(2.0)


def test_gap_grows_with_distance_and_is_symmetric() -> None:
    right, left = hand_at(-150), hand_at(150, side="left")
    assert gap_mm(right, left) == pytest.approx(gap_mm(left, right))
    assert gap_mm(hand_at(-250), left) > gap_mm(right, left) > 0
    assert gap_mm(hand_at(-10), hand_at(10, side="left")) < -5


def test_capsules_stay_near_the_skin() -> None:
    """Capsule surfaces stand for flesh: most skin lies within a few millimetres of one."""
    placement = Placement(np.array([0.0, 0, 500]), FACING)
    mesh = hand_mesh(neutral_shape(), GESTURES["open"], placement, "right")
    hand = hand_skeleton(neutral_shape(), GESTURES["open"], placement, "right")
    capsules = hand_capsules(hand, forearm=False)
    skin = mesh.vertices_mm[mesh.vertices_mm[:, 1] < -20].astype(np.float64)
    distance = segment_distance(skin[:, None], skin[:, None] + 1e-6, capsules.start_mm, capsules.end_mm)
    outside = (distance - capsules.radius_mm).min(axis=1)
    assert np.percentile(np.abs(outside), 90) < 7
    assert abs(np.median(outside)) < 3


def test_radii_grow_with_girth() -> None:
    hand = hand_at(0)
    thick = HandSkeleton(hand.side, hand.joints_mm, hand.elbow_mm, hand.finger_girth * 1.2)
    thin_radii, thick_radii = hand_capsules(hand).radius_mm, hand_capsules(thick).radius_mm
    np.testing.assert_allclose(thick_radii[:24], 1.2 * thin_radii[:24])


@pytest.mark.parametrize("into_pocket", [False, True])
def test_sliding_ends_at_the_tolerance(into_pocket: bool) -> None:
    fixed, moving = hand_at(0), hand_at(20, side="left")
    shift = slide_apart_mm(fixed, moving, SIDEWAYS, into_pocket=into_pocket)
    assert shift > 0
    moved = gaps_mm(hand_capsules(fixed), hand_capsules(moving).moved(shift * SIDEWAYS)).min()
    assert CONTACT_TOLERANCE_MM - 1e-6 <= moved < CONTACT_TOLERANCE_MM + 0.3


def test_sliding_leaves_hands_apart_where_they_are() -> None:
    assert slide_apart_mm(hand_at(-200), hand_at(200, side="left"), SIDEWAYS) == 0.0


def test_curling_ends_in_contact() -> None:
    """A hand whose palm looks at the other hand's back closes until its fingers rest on it."""
    shape = neutral_shape()
    front = hand_skeleton(shape, GESTURES["fist"], Placement(np.array([0.0, -70, 452]), FACING), "left")
    placement = Placement(np.array([0.0, 0, 520]), FACING)

    def skeleton_of(angles: JointAngles) -> HandSkeleton:
        return hand_skeleton(shape, angles, placement, "right")

    before = gap_mm(skeleton_of(GESTURES["open"]), front, forearm=False)
    closed = curl_until_touch(GESTURES["open"], skeleton_of, front)
    after = gap_mm(skeleton_of(closed), front, forearm=False)
    assert after >= CONTACT_TOLERANCE_MM - 1e-6
    assert after < min(before, 6.0)
    assert np.all(closed.fingers_deg[1:, 0] >= GESTURES["open"].fingers_deg[1:, 0])


def test_closing_lies_round_what_it_holds() -> None:
    """Joints beyond a phalanx that touches bend on; nothing ends deeper than it may."""
    shape, counts = neutral_shape(), np.zeros(2)
    placement = Placement(np.array([0.0, 0, 520]), FACING)

    def skeleton_of(angles: JointAngles) -> HandSkeleton:
        return hand_skeleton(shape, angles, placement, "right")

    for y_mm in (-90, -70, -50, -30, -10):
        held = hand_skeleton(shape, GESTURES["fist"], Placement(np.array([0.0, y_mm, 455]), FACING), "left")
        once = curl_until_touch(GESTURES["open"], skeleton_of, held)
        closed = close_until_touch(GESTURES["open"], skeleton_of, held, CONTACT_TOLERANCE_MM, 150)
        assert gap_mm(skeleton_of(closed), held, forearm=False) >= CONTACT_TOLERANCE_MM - 1e-6
        counts += [_phalanges_touching(skeleton_of(angles), held) for angles in (once, closed)]
    assert counts[1] > 1.2 * counts[0]


def _phalanges_touching(hand: HandSkeleton, other: HandSkeleton) -> int:
    capsules = hand_capsules(hand, forearm=False)
    return int((gaps_mm(capsules.select(capsules.finger > 0), hand_capsules(other)).min(axis=1) < 1).sum())


@pytest.mark.parametrize("tilt_deg", [12.0, 20.0])
def test_a_hand_that_touches_at_one_place_is_laid_down(tilt_deg: float) -> None:
    """Flat hands back to back, one of them tilted."""
    fixed = hand_capsules(hand_at(0), forearm=False)
    away = FACING[:, 2]
    tilt = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix()
    hand = hand_skeleton(neutral_shape(), GESTURES["open"], Placement(np.array([0, 0.0, 500]), tilt @ FACING), "right")
    moving = hand_capsules(hand, forearm=False)
    shift = slide_capsules_apart_mm(fixed, moving, away, CONTACT_TOLERANCE_MM, False, 200)
    moving = moving.moved(shift * away)
    turn, moved = settle(fixed, moving, away, CONTACT_TOLERANCE_MM, 25)
    laid = replace(moving, start_mm=moving.start_mm @ turn.T + moved, end_mm=moving.end_mm @ turn.T + moved)
    before, after = gaps_mm(fixed, moving), gaps_mm(fixed, laid)
    assert after.min() >= CONTACT_TOLERANCE_MM - 1e-6
    assert after.min(axis=0).mean() < 0.9 * before.min(axis=0).mean()
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) <= 25


def test_the_ball_of_a_resting_thumb_does_not_run_into_the_other_hand() -> None:
    """It moves with the thumb."""
    shape = neutral_shape()
    state = HandState("right", GESTURES["open"], Placement(np.array([0.0, 0, 500]), FACING))
    for distance in (26.0, 34, 42):
        other = HandState(
            "left", GESTURES["open"], Placement(np.array([20.0, -20, 500]) + distance * FACING[:, 2], FACING)
        )
        rested = rest_thumb(
            state.angles,
            lambda angles: HandState("right", angles, state.placement).skeleton(shape),
            other.skeleton(shape),
        )
        if rested is not None:
            own = hand_capsules(HandState("right", rested, state.placement).skeleton(shape), forearm=False)
            assert gaps_mm(own.select([7]), hand_capsules(other.skeleton(shape))).min() >= CONTACT_TOLERANCE_MM


@pytest.mark.parametrize("name", sorted(GESTURES))
def test_gestures_do_not_run_into_themselves(name: str) -> None:
    assert self_gap_mm(hand_at(0, name)) > -6.5


def test_self_gap_of_one_finger_is_never_below_that_of_all() -> None:
    hand = hand_at(0, "fist")
    each = [self_gap_mm(hand, finger) for finger in range(5)]
    assert min(each) == pytest.approx(self_gap_mm(hand))

"""Capsules, gaps, sliding and curling into contact."""

from __future__ import annotations

import numpy as np
import pytest

from training.synth.hand.contact import (
    CONTACT_TOLERANCE_MM,
    curl_until_touch,
    gap_mm,
    gaps_mm,
    hand_capsules,
    segment_distance,
    self_gap_mm,
    slide_apart_mm,
)
from training.synth.hand.model import HandSkeleton, Placement, hand_mesh, hand_skeleton
from training.synth.hand.poses import GESTURES, JointAngles
from training.synth.hand.shape import neutral_shape
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
    sampled = np.linalg.norm(one[:, :, None] - other[:, None, :], axis=3).min(axis=(1, 2))
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


@pytest.mark.parametrize("name", sorted(GESTURES))
def test_gestures_do_not_run_into_themselves(name: str) -> None:
    assert self_gap_mm(hand_at(0, name)) > -6.5


def test_self_gap_of_one_finger_is_never_below_that_of_all() -> None:
    hand = hand_at(0, "fist")
    each = [self_gap_mm(hand, finger) for finger in range(5)]
    assert min(each) == pytest.approx(self_gap_mm(hand))

"""Rotations of successive frames: signs, and what an unsure joint leans on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, Side
from realtime.messages import HandPose
from realtime.rotations.hand_rotations import hand_rotations
from realtime.rotations.hand_turner import HandTurner
from realtime.rotations.quaternions import angle_deg
from tests.support.hand_frames import hand_frame, joints_mm

RATE_HZ = 30


def hand(side: Side, joints: NDArray, confidence: float | NDArray) -> HandPose:
    sure = np.broadcast_to(np.float32(confidence), 21)
    return replace(hand_frame(side).hands[0], joints_cam_mm=joints.astype(np.float32), confidence=sure)


def turned(
    hands: Iterable[HandPose], rate_hz: float = RATE_HZ, turner: HandTurner | None = None
) -> NDArray[np.float32]:
    turner = turner or HandTurner()
    return np.array([turner([one], i / rate_hz)[0].joint_rotations for i, one in enumerate(hands)])


def test_signs_in_time_are_remembered_and_resumed() -> None:
    """A hand that turns over twice: no quaternion jumps to its negative, also where a second turner goes on."""
    first = hand_frame("right").hands[0]
    turns = [Rotation.from_euler("y", 6 * i, degrees=True).as_matrix() for i in range(120)]
    turner = HandTurner()
    found = []
    for i, turn in enumerate(turns):
        if i == 60:
            other = HandTurner()
            other.state = turner.state
            turner = other
        moved = replace(first, joints_cam_mm=(first.joints_cam_mm @ turn.T).astype(np.float32))
        found.append(turner([moved], i / RATE_HZ)[0].joint_rotations)
    assert ((np.array(found)[1:] * np.array(found)[:-1]).sum(axis=-1) > 0.9).all()
    assert (np.array(found)[0] * np.array(found)[60]).sum() < 0  # once round


@pytest.mark.parametrize("side", SIDES)
def test_sure_joints_are_told_as_they_are(side: Side) -> None:
    """However fast they move, and at one and the same time twice."""
    hands = [hand(side, joints_mm(side, (0, 0, 400), curl), 1.0) for curl in (0, 60, 60, 0)]
    expected = hand_rotations(np.array([one.joints_cam_mm for one in hands]), side)
    assert angle_deg(turned(hands), expected).max() < 1e-3
    assert angle_deg(turned(hands, rate_hz=np.inf), expected).max() < 1e-3


@pytest.mark.parametrize("side", SIDES)
def test_unsure_joints_shake_less(side: Side) -> None:
    """A hand that stands still, with 12 mm of noise on the index finger alone: it shakes less, and only it is held."""
    rng = np.random.default_rng(4)
    still = joints_mm(side, (0, 0, 450), 25)
    noise = np.zeros((50, 21, 3))
    noise[:, 4:7] = rng.normal(0, 12, (50, 3, 3))
    unsure = np.where(np.isin(np.arange(21), (4, 5, 6)), 0.1, 1.0)
    plain, leaning = (turned([hand(side, still + one, c) for one in noise]) for c in (1.0, unsure))
    truth = hand_rotations(still, side)
    index = slice(4, 8)
    assert np.median(angle_deg(leaning[1:, index], leaning[:-1, index])) < 0.4 * np.median(
        angle_deg(plain[1:, index], plain[:-1, index])
    )
    assert angle_deg(leaning, truth)[10:, index].mean() < 0.7 * angle_deg(plain, truth)[10:, index].mean()
    rest = np.r_[0:4, 8:21]
    assert angle_deg(leaning, plain)[:, rest].max() < 0.1


def test_the_past_fades_with_time_and_not_with_frames() -> None:
    """A hand opens from one frame to the next, its joints half sure: a tenth of a second later it is as far open."""
    shut, wide = (joints_mm("right", (0, 0, 400), curl) for curl in (50, 10))
    left_deg = []
    for rate_hz in (20, 200):
        tenth, bent = rate_hz // 10, [5, 9, 13, 17]
        found = turned([hand("right", shut, 0.5)] * tenth + [hand("right", wide, 0.5)] * 10 * tenth, rate_hz)
        assert angle_deg(found[tenth - 1], found[-1])[bent].min() > 40
        left_deg.append(angle_deg(found[2 * tenth - 1], found[-1])[bent].mean())
    assert 8 < left_deg[1] < 30
    assert left_deg[0] == pytest.approx(left_deg[1], rel=0.2)


def test_a_hand_that_was_away_is_seen_afresh_and_a_second_turner_goes_on() -> None:
    wide, shut = (hand("left", joints_mm("left", (0, 0, 400), curl), 0.4) for curl in (5, 55))
    afresh = HandTurner()([shut], 0.0)[0].joint_rotations
    turner = HandTurner()
    turner([wide], 0.0)
    state = turner.state
    assert angle_deg(turner([shut], 0.02)[0].joint_rotations, afresh).max() > 20
    turner.state = state
    assert angle_deg(turner([shut], 2.0)[0].joint_rotations, afresh).max() < 0.1
    other = HandTurner()
    other.state = state
    turner.state = state
    np.testing.assert_array_equal(other([shut], 0.1)[0].joint_rotations, turner([shut], 0.1)[0].joint_rotations)

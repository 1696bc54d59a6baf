"""Named hand shapes of the generator."""

from __future__ import annotations

import numpy as np
import pytest

from engines.skeleton import FINGER_TIPS, WRIST
from training.synth.hand.contact import SELF_TOLERANCE_MM, self_gap_mm
from training.synth.hand.model import Placement, hand_skeleton
from training.synth.hand.poses import LOWER_DEG, UPPER_DEG, JointAngles
from training.synth.hand.shape import neutral_shape
from training.synth.hand.shapes import SHAPES, hand_shape, sample_shape
from training.synth.pair.arms import sample_fingers

ANYWHERE = Placement(np.zeros(3), np.eye(3))


def reach_mm(angles: JointAngles) -> np.ndarray:
    """(5,) distance of each finger tip from the wrist."""
    joints = hand_skeleton(neutral_shape(), angles, ANYWHERE, "right").joints_mm
    return np.linalg.norm(joints[list(FINGER_TIPS)] - joints[WRIST], axis=1)


@pytest.mark.parametrize(
    ("name", "raised"),
    [("index", {1}), ("two_apart", {1, 2}), ("little", {4}), ("horns", {1, 4}), ("three_middle", {1, 2, 3})],
)
def test_raised_fingers_reach_further_than_folded_ones(name: str, raised: set[int]) -> None:
    reach, fist = reach_mm(hand_shape(name)), reach_mm(hand_shape("fist"))
    for finger in range(1, 5):
        assert (reach[finger] > 1.4 * fist[finger]) == (finger in raised)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_can_be_made(name: str) -> None:
    """Inside the joint limits, and not so that a hand always runs into itself."""
    shape, rng = neutral_shape(), np.random.default_rng(1)
    drawn = [sample_shape(rng, name) for _ in range(40)]
    for angles in drawn:
        assert np.all((angles.fingers_deg >= LOWER_DEG) & (angles.fingers_deg <= UPPER_DEG))
    gaps = [self_gap_mm(hand_skeleton(shape, angles, ANYWHERE, "right")) for angles in drawn]
    assert np.mean(np.array(gaps) > SELF_TOLERANCE_MM) > 0.12


def test_hands_do_not_run_into_themselves() -> None:
    shape, rng = neutral_shape(), np.random.default_rng(2)
    for _ in range(40):
        hand = hand_skeleton(shape, sample_fingers(rng, shape), ANYWHERE, "right")
        assert self_gap_mm(hand) > SELF_TOLERANCE_MM

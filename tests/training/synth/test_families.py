"""Hands brought together before a camera, by name: each can be made, looks like its name, and is met in both roles."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.skeleton import SIDES, WRIST, Side
from training.synth.__main__ import main
from training.synth.hand.contact import SELF_TOLERANCE_MM, gap_mm, gaps_mm, hand_capsules, self_gap_mm
from training.synth.hand.model import HandSkeleton
from training.synth.hand.shape import HandShape, neutral_shape
from training.synth.pair.contact import TOLERANCE_MM, Pair, sample_pair
from training.synth.pair.families import FAMILIES, MOST_SOFT_MM, family_plan
from training.synth.pair.plan import KNUCKLES, PairPlan, palm_center
from training.synth.pair.plans import PAIR_SHARE
from training.synth.person.people import sample_person
from training.synth.scene.scene import draw_recipe

TRIES = 10
ONE_ACTS = (
    *("palm_on_back", "stacked_flat", "fist_in_palm", "wrapped_finger", "wrapped_wrist", "crossed_wrists"),
    *("frame", "counting", "washing", "handshake"),
)
"""Families in which the hands play different parts."""


@lru_cache(maxsize=64)
def hands_of(name: str) -> tuple[tuple[Pair, tuple[HandSkeleton, HandSkeleton]], ...]:
    """All that came of so many tries: both hands, and their skeletons."""
    found = []
    for seed in range(TRIES):
        rng = np.random.default_rng([3, seed])
        shape = sample_person(rng).shape
        pair = sample_pair(rng, shape, name, "raised")
        if pair is not None:
            found.append((pair, (pair[0].skeleton(shape), pair[1].skeleton(shape))))
    return tuple(found)


def pairs(name: str) -> tuple[tuple[Pair, NDArray], ...]:
    """The same with the joints (2, 21, 3)."""
    return tuple((pair, np.stack([hand.joints_mm for hand in hands])) for pair, hands in hands_of(name))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_can_be_made_and_its_hands_are_near_each_other(name: str) -> None:
    found = pairs(name)
    assert len(found) >= (2 if name.startswith("interlocked") else 3)
    for _, joints in found:
        nearest = np.linalg.norm(joints[0][:, None] - joints[1], axis=-1).min()
        assert nearest < {"clapping": 260, "crossed_wrists": 90}.get(name, 60)


@pytest.mark.parametrize("name", FAMILIES)
def test_hands_of_a_family_touch_and_do_not_run_into_each_other(name: str) -> None:
    gaps = []
    for _, (right, left) in hands_of(name):
        assert min(self_gap_mm(right), self_gap_mm(left)) >= SELF_TOLERANCE_MM - 1 - 1e-6
        gaps.append(gap_mm(right, left))
    assert min(gaps) >= TOLERANCE_MM[0] - MOST_SOFT_MM - 0.2
    assert name == "clapping" or np.mean(np.array(gaps) < 1) > 0.7  # hands that clap may have parted


@pytest.mark.parametrize("name", ONE_ACTS)
def test_both_hands_play_both_parts(name: str) -> None:
    shape, rngs = neutral_shape(), [np.random.default_rng([k, 4]) for k in range(24)]
    parts = Counter(_part(family_plan(rng, shape, name), shape, name) for rng in rngs)
    assert min(parts["right"], parts["left"]) >= 4


def _part(plan: PairPlan, shape: HandShape, name: str) -> Side:
    """Which hand acts: the one that closes, or the upper or nearer one."""
    if len(plan.curl) == 1:
        return plan.curl[0]
    if name in ("frame", "handshake"):
        thumbs = [state.skeleton(shape).joints_mm[[0, 20], 1] for state in (plan.right, plan.left)]
        return SIDES[int(thumbs[0][0] - thumbs[0][1] > thumbs[1][0] - thumbs[1][1])]
    if name == "counting":
        bent = [state.angles.fingers_deg[2:, 2].sum() for state in (plan.right, plan.left)]
        return SIDES[int(bent[0] < bent[1])]
    return SIDES[int(plan.slide @ [0, -1, -1] > 0)]


def test_families_are_drawn_evenly_and_make_up_most_pairs() -> None:
    shares = [PAIR_SHARE[name] for name in FAMILIES]
    assert min(shares) == max(shares)
    assert 0.6 < sum(shares) < 0.75


@pytest.mark.parametrize("name", ["interlocked_down", "interlocked_folded"])
def test_interlocked_fingers_take_turns(name: str) -> None:
    for _, (right, left) in pairs(name):
        row = right[7] - right[19]
        places = np.concatenate([(hand[list(KNUCKLES)] - right[19]) @ row / (row @ row) for hand in (right, left)])
        owner = np.repeat([0, 1], 4)[np.argsort(places)]
        assert np.sum(owner[1:] != owner[:-1]) >= 5


def test_fingers_point_up_or_down_as_the_name_says() -> None:
    """y runs down."""
    for name, sign in (("palms_together", -1), ("interlocked_up", -1), ("interlocked_down", 1)):
        along = [(joints[:, 11] - joints[:, WRIST])[:, 1].mean() for _, joints in pairs(name)]
        assert np.mean(np.sign(along) == sign) > 0.8


def test_forearms_of_folded_hands_come_from_both_sides() -> None:
    """The person's right arm from where x is negative."""
    shape = neutral_shape()
    found = [pair for name in ("interlocked_folded", "fist_on_fist", "stacked_flat") for pair, _ in pairs(name)]
    apart = [p[1].skeleton(shape).elbow_mm[0] - p[0].skeleton(shape).elbow_mm[0] for p in found]
    assert np.mean(np.array(apart) > 150) > 0.9


def test_crossed_wrists_cross() -> None:
    for _, (right, left) in pairs("crossed_wrists"):
        assert np.linalg.norm(right[WRIST] - left[WRIST]) < 170
        assert right[11, 0] - right[WRIST, 0] > left[11, 0] - left[WRIST, 0]


def _meeting(joints: NDArray, fingers: tuple[int, ...]) -> int:
    """How many finger tips are at their partners."""
    tips = [4 * finger for finger in fingers]
    return int((np.linalg.norm(joints[0][tips] - joints[1][tips], axis=-1) < 26).sum())


def test_finger_tips_of_steeples_meet_each_its_partner() -> None:
    assert np.mean([_meeting(joints, (1, 2, 3, 4)) for _, joints in pairs("steeple")]) > 3.3


def test_hearts_are_closed_above_and_below() -> None:
    """At the thumbs and at an index finger or its neighbour."""
    below = [np.linalg.norm(joints[0][0] - joints[1][0]) for _, joints in pairs("heart")]
    above = [np.linalg.norm(joints[0][4:11, None] - joints[1][4:11], axis=-1).min() for _, joints in pairs("heart")]
    assert np.mean(np.array(below) < 30) > 0.7
    assert np.mean(np.array(above) < 25) > 0.7


def test_a_frame_is_closed_at_both_corners() -> None:
    """The tip of each thumb is at the tip of the other hand's index finger."""
    for _, (right, left) in pairs("frame"):
        assert max(np.linalg.norm(right[0] - left[4]), np.linalg.norm(right[4] - left[0])) < 30


def test_fists_are_closed() -> None:
    for pair, _ in pairs("fist_on_fist"):
        assert min(state.angles.fingers_deg[1:, [0, 2]].sum(axis=1).min() for state in pair) > 110


@pytest.mark.parametrize(
    ("name", "least"), [("palms_together", 11), ("palm_on_back", 8), ("stacked_flat", 6), ("fist_in_palm", 11)]
)
def test_hands_lie_on_each_other_with_much_of_their_flesh(name: str, least: int) -> None:
    """Of 48 capsules that touch or nearly do; at one place only it would be 2 to 4."""
    touching = []
    for _, hands in hands_of(name):
        gaps = gaps_mm(*(hand_capsules(hand, forearm=False) for hand in hands))
        touching.append((gaps.min(axis=0) < 4).sum() + (gaps.min(axis=1) < 4).sum())
    assert np.mean(touching) > least


def test_what_is_wrapped_lies_in_a_closed_hand_and_both_hands_do_both() -> None:
    holders = set()
    for name in ("wrapped_finger", "wrapped_wrist", "fist_in_palm"):
        for pair, _ in pairs(name):
            bent = [state.angles.fingers_deg[1:, [0, 2]].sum(axis=1).mean() for state in pair]
            assert max(bent) > 25
            holders.add(int(np.argmax(bent)))
    assert holders == {0, 1}


def test_clapping_hands_are_apart_or_in_contact() -> None:
    gaps = []
    for _, (right, left) in hands_of("clapping"):
        gaps.append(gap_mm(right, left))
        assert np.linalg.norm(palm_center(right) - palm_center(left)) < 300
    assert min(gaps) < 0 < max(gaps)


def test_a_named_way_is_what_is_drawn_and_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    assert {draw_recipe(rng, "heart").mode for _ in range(20)} == {"heart"}
    with pytest.raises(SystemExit):
        main(["--count", "1", "--out", "nowhere", "--modes", "hart"])
    assert "hart is none of single" in capsys.readouterr().err

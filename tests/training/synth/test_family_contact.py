"""The named ways of bringing hands together: contact is solved for each, and both hands play both parts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from engines.skeleton import SIDES, Side
from training.synth.hand.contact import SELF_TOLERANCE_MM, gap_mm, self_gap_mm
from training.synth.hand.model import HandState
from training.synth.hand.shape import HandShape, neutral_shape
from training.synth.pair.contact import TOLERANCE_MM, sample_pair
from training.synth.pair.families import FAMILIES, MOST_SOFT_MM, family_plan
from training.synth.pair.plan import PairPlan
from training.synth.person.people import sample_person

MOST_TRIES = 120
"""Well below the attempts that a sampler has for a picture."""
Pair = tuple[HandShape, HandState, HandState]
MAY_BE_APART = ("clapping", "frame")
"""Hands that clap may have parted; a frame's finger tips may pass each other."""
ONE_ACTS = (
    *("palm_on_back", "stacked_flat", "fist_in_palm", "wrapped_finger", "wrapped_wrist", "crossed_wrists"),
    *("frame", "counting", "washing", "handshake"),
)
"""Families in which the hands play different parts."""


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    for name in FAMILIES:
        rng = np.random.default_rng([len(name), 2])
        for _ in range(MOST_TRIES):
            shape = sample_person(rng).shape
            pair = sample_pair(rng, shape, name, "raised")
            if pair is not None:
                found.setdefault(name, []).append((shape, *pair))
            if len(found.get(name, ())) == 2:
                break
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_hands_touch_and_do_not_run_into_each_other(name: str, pairs: dict[str, list[Pair]]) -> None:
    assert len(pairs[name]) == 2, "within the tries"
    gaps = []
    for shape, *states in pairs[name]:
        right, left = (state.skeleton(shape) for state in states)
        assert min(self_gap_mm(right), self_gap_mm(left)) >= SELF_TOLERANCE_MM - 1 - 1e-6
        gaps.append(gap_mm(right, left))
    assert min(gaps) >= TOLERANCE_MM[0] - MOST_SOFT_MM - 0.2
    assert name in MAY_BE_APART or max(gaps) < 1


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

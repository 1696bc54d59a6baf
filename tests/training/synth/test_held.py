"""Objects in hands: solids and their distances, grips that touch without entering, shares; none of it needs OpenGL."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from engines.skeleton import SIDES
from training.synth.hand.contact import hand_capsules, self_gap_mm
from training.synth.held.grip_contact import Pose, deepest_mm, solid_gaps_mm, touching
from training.synth.held.grips import DEEPEST_MM, sample_grip
from training.synth.held.holding import CARRIED, HELD_BY_ONE, draw_held, holding_arm, holding_pair
from training.synth.held.objects import MAKERS, UPRIGHT, make_object
from training.synth.pair.plans import PAIR_SHARE
from training.synth.person.people import sample_person
from training.synth.person.solids import box_distance, turned_distance
from training.synth.scene.scene import PAIR_PICTURES, draw_recipe


@pytest.mark.parametrize("kind", MAKERS)
def test_solids_are_closed_outwards_and_lie_on_their_distance(kind: str) -> None:
    rng = np.random.default_rng(3)
    solid = make_object(rng, kind, sample_person(rng).material)
    on_surface = np.concatenate([solid.distance(part.vertices_mm) for part in solid.parts[:1]])
    assert np.abs(on_surface).max() < 6
    assert np.median(np.abs(on_surface)) < 1.5
    for prop in solid.placed(np.diag([-1.0, 1, 1]), np.array([5.0, 0, 0]), "held"):
        a, b, c = (prop.vertices_mm[prop.triangles[:, k]] for k in range(3))
        face = np.cross(b - a, c - a)
        assert np.sum(face * prop.normals[prop.triangles].mean(axis=1)) > 0, "a mirrored mesh still faces outwards"
    far = solid.distance(np.array([[0.0, 0, 900], [700, 0, 0]]))
    assert far.min() > 500 and solid.distance(np.zeros((1, 3)))[0] < 0


def test_distances_are_those_of_known_solids() -> None:
    points = np.array([[0.0, 0, 0], [20, 0, 0], [0, 25, 0], [13, 24, 0]])
    can = turned_distance([(0, -20), (10, -20), (10, 20), (0, 20)])
    np.testing.assert_allclose(can(points), [-10, 10, 5, 5], atol=1e-9)
    box = box_distance([10.0, 20, 30], 2.0)
    np.testing.assert_allclose(box(points), [-10, 10, 5, np.hypot(5, 6) - 2], atol=1e-9)


@pytest.mark.parametrize("kind", MAKERS)
def test_grips_touch_and_do_not_enter(kind: str) -> None:
    found = 0
    for seed in range(4):
        rng = np.random.default_rng([seed, 8])
        person = sample_person(rng)
        solid = make_object(rng, kind, person.material)
        grip = sample_grip(rng, person.shape, solid)
        if grip is None:
            continue
        found += 1
        assert deepest_mm(person.shape, grip.angles, solid.distance, grip.pose) >= DEEPEST_MM
        fingers = touching(person.shape, grip.angles, solid.distance, grip.pose, 4.0)
        assert len(fingers & {1, 2, 3, 4}) >= (1 if kind == "pen" else 2)
        assert 0 in touching(person.shape, grip.angles, solid.distance, grip.pose, 12.5)
    assert found >= 2


@pytest.mark.parametrize("side", SIDES)
def test_object_follows_the_hand_of_its_side(side: str) -> None:
    """The gaps that the grip was solved for hold for the placed hand, mirrored or not."""
    rng = np.random.default_rng(5)
    person = sample_person(rng)
    holding = holding_arm(rng, person.shape, side, "raised", "bottle", person.material)
    assert holding is not None
    arm, held = holding
    solved = deepest_mm(person.shape, arm.angles, held.solid.distance, held.pose)
    assert held.gap_mm(arm, person.shape, arm) == pytest.approx(solved, abs=1e-6)
    turned = arm.turned(np.diag([1.0, -1, -1]), np.array([10.0, 20, 700]))
    assert held.gap_mm(turned, person.shape, turned) == pytest.approx(solved, abs=1e-6)
    assert len(held.props(arm)) == len(held.solid.parts)


def test_cups_mostly_stand_upright() -> None:
    rises = []
    for seed in range(12):
        rng = np.random.default_rng([seed, 2])
        person = sample_person(rng)
        holding = holding_arm(rng, person.shape, "right", "raised", UPRIGHT[seed % 3], person.material)
        if holding is not None:
            rises.append(-holding[1].place(holding[0])[0][1, 1])
    assert np.median(rises) > 0.6


@pytest.mark.parametrize("kind", CARRIED)
def test_both_hands_are_at_what_they_carry(kind: str) -> None:
    for seed in range(12):
        rng = np.random.default_rng([seed, 4])
        person = sample_person(rng)
        carrying = holding_pair(rng, person.shape, "carry", "raised", kind, person.material)
        if carrying is not None:
            break
    else:
        raise AssertionError(f"no hands found for a {kind}")
    (right, left), held = carrying
    for hand in (right, left):
        assert DEEPEST_MM <= held.gap_mm(hand, person.shape, right) < 1
        assert self_gap_mm(hand.skeleton(person.shape)) > -8


def test_the_other_hand_of_a_pair_stays_out_of_the_object() -> None:
    found = 0
    for seed in range(6):
        rng = np.random.default_rng([seed, 6])
        person = sample_person(rng)
        holding = holding_pair(rng, person.shape, "near", "raised", "box", person.material)
        if holding is None:
            continue
        pair, held = holding
        holder = next(state for state in pair if state.side == held.holder)
        rotation, shift = held.place(holder)
        for state in pair:
            gaps = solid_gaps_mm(
                hand_capsules(state.skeleton(person.shape)), held.solid.distance, Pose(rotation, shift)
            )
            assert gaps.min() > (DEEPEST_MM if state is holder else 0)
        found += 1
    assert found >= 2


def test_shares_of_what_is_held() -> None:
    assert sum(HELD_BY_ONE.values()) == pytest.approx(1) and sum(CARRIED.values()) == pytest.approx(1)
    recipes = [draw_recipe(np.random.default_rng([0, k])) for k in range(4000)]
    single = [r.held != "" for r in recipes if r.mode == "single"]
    pairs = [r for r in recipes if r.mode != "single"]
    assert np.mean(single) == pytest.approx(0.22, abs=0.03)
    assert np.mean([r.held != "" for r in pairs]) == pytest.approx(0.12, abs=0.025)
    assert {r.mode for r in pairs if r.held} == {"near", "carry"}
    assert all(r.held in CARRIED for r in pairs if r.mode == "carry")
    kinds = Counter(r.held for r in recipes if r.held)
    assert kinds.keys() >= HELD_BY_ONE.keys()
    assert PAIR_PICTURES * PAIR_SHARE["carry"] > 0.02
    assert draw_held(np.random.default_rng(0), "heart") == ""

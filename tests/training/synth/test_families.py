"""The named ways of bringing hands together: contact, roles, forearms, what the pictures of a crop show of the arms."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from engines.geometry.pinhole import project
from engines.skeleton import SIDES, Side
from training.lite.crop_places import CropNoise, random_places
from training.synth.__main__ import _modes
from training.synth.hand.contact import SELF_TOLERANCE_MM, gap_mm, self_gap_mm
from training.synth.hand.model import HandState
from training.synth.hand.shape import HandShape
from training.synth.pair.contact import TOLERANCE_MM, sample_pair
from training.synth.pair.families import FAMILIES, MOST_SOFT_MM, family_plan
from training.synth.pair.plan import palm_center
from training.synth.pair.plans import PAIR_SHARE
from training.synth.person.people import sample_person
from training.synth.person.worn import Dresser
from training.synth.render.sampler import MOST_ATTEMPTS
from training.synth.scene.scene import Recipe, Rejected, Scene, draw_recipe, draw_scene
from training.synth.scene.views import PICTURE_PX

Pair = tuple[HandShape, HandState, HandState]
MAY_BE_APART = ("clapping",)
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
        for _ in range(MOST_ATTEMPTS):
            shape = sample_person(rng).shape
            pair = sample_pair(rng, shape, name, "raised")
            if pair is not None:
                found.setdefault(name, []).append((shape, *pair))
            if len(found.get(name, ())) == 6:
                break
    return found


def test_families_are_drawn_evenly_and_by_name() -> None:
    assert len({PAIR_SHARE[name] for name in FAMILIES}) == 1
    assert _modes("families") == tuple(FAMILIES) and _modes("single,heart") == ("single", "heart")


@pytest.mark.parametrize("name", FAMILIES)
def test_hands_touch_and_do_not_run_into_each_other(name: str, pairs: dict[str, list[Pair]]) -> None:
    assert len(pairs[name]) == 6, "within the attempts a sampler has"
    gaps = []
    for shape, *states in pairs[name]:
        right, left = (state.skeleton(shape) for state in states)
        assert min(self_gap_mm(right), self_gap_mm(left)) >= SELF_TOLERANCE_MM - 1 - 1e-6
        gaps.append(gap_mm(right, left))
    assert min(gaps) >= TOLERANCE_MM[0] - MOST_SOFT_MM - 0.2
    assert name in MAY_BE_APART or max(gaps) < 1


@pytest.mark.parametrize("name", ONE_ACTS)
def test_both_hands_play_both_parts(name: str) -> None:
    parts = Counter(_part(family_plan(rng, shape, name), shape, name) for rng, shape in _draws(24))
    assert min(parts["right"], parts["left"]) >= 4


def _draws(count: int) -> list[tuple[np.random.Generator, HandShape]]:
    rngs = [np.random.default_rng([k, 4]) for k in range(count)]
    return [(rng, sample_person(rng).shape) for rng in rngs]


def _part(plan, shape: HandShape, name: str) -> Side:
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


@pytest.mark.parametrize("name", FAMILIES)
def test_forearms_come_from_both_sides(name: str, pairs: dict[str, list[Pair]]) -> None:
    """In the person frame x leads to the person's left: the right elbow lies before the left one."""
    apart = [left.skeleton(shape).elbow_mm[0] - right.skeleton(shape).elbow_mm[0] for shape, right, left in pairs[name]]
    assert np.median(apart) > 100


@pytest.mark.parametrize("name", ["interlocked_up", "interlocked_down", "interlocked_folded"])
def test_interlocked_fingers_take_turns(name: str, pairs: dict[str, list[Pair]]) -> None:
    """Along the row of knuckles, and the rows are near each other."""
    for shape, *states in pairs[name]:
        right, left = (state.skeleton(shape).joints_mm for state in states)
        row = right[7] - right[19]
        places = np.concatenate([(hand[[7, 11, 15, 19]] - right[19]) @ row / (row @ row) for hand in (right, left)])
        owner = np.repeat([0, 1], 4)[np.argsort(places)]
        assert np.sum(owner[1:] != owner[:-1]) >= 5
        assert np.linalg.norm(right[[7, 11, 15, 19]].mean(axis=0) - left[[7, 11, 15, 19]].mean(axis=0)) < 95


def test_palms_look_at_each_other_in_greeting_and_steeple(pairs: dict[str, list[Pair]]) -> None:
    for name in ("palms_together", "steeple"):
        for shape, right, left in pairs[name]:
            across = palm_center(left.skeleton(shape)) - palm_center(right.skeleton(shape))
            assert right.placement.camera_from_hand[:, 2] @ across > 0 > left.placement.camera_from_hand[:, 2] @ across


def test_hardly_a_crop_shows_an_arm_that_ends_at_the_pictures_edge() -> None:
    """A crop of 1.5 times the joints' extent, shifted and scaled as in training, lies where the arms go on."""
    shown = [_cut_share(seed) for seed in range(60)]
    assert np.mean(shown) < 0.15


def _cut_share(seed: int) -> float:
    """Share of random crops of a scene that hold the place where an arm leaves the picture."""
    scene = _scene(seed)
    places = [place for k in range(len(scene.states)) if (place := _leaves_at(scene, k)) is not None]
    hidden = np.repeat(~scene.present, 21)[:, None]
    points = torch.tensor(project(np.where(hidden, [0.0, 0, 1], scene.joints_cam_mm), scene.intrinsics))
    present = torch.tensor(scene.present[None]).float()
    repeats = 8
    center, side, angle = random_places(
        points.float().expand(repeats, -1, -1),
        present.expand(repeats, -1),
        CropNoise(),
        torch.Generator().manual_seed(seed),
    )
    cut = np.zeros(repeats, bool)
    c, s = angle.cos().numpy(), angle.sin().numpy()
    for place in places:
        x, y = (place - center.numpy()).T
        cut |= np.maximum(np.abs(x * c + y * s), np.abs(-x * s + y * c)) < side.numpy() / 2
    return float(cut.mean())


def _scene(seed: int) -> Scene:
    rng = np.random.default_rng([seed, 8])
    recipe: Recipe = draw_recipe(rng)
    for _ in range(MOST_ATTEMPTS):
        try:
            return draw_scene(rng, recipe)
        except Rejected:
            continue
    raise AssertionError(recipe)


def _leaves_at(scene: Scene, hand: int) -> np.ndarray | None:
    """(2,) pixel where the line wrist, elbow, shoulder leaves the picture; None where it does not."""
    state, shoulder = scene.states[hand], scene.outfit.shoulders_mm[hand]
    bones = [state.placement.wrist_cam_mm, Dresser(state, scene.person.shape, scene.person.material).elbow_mm()]
    bones += [] if shoulder is None else [shoulder]
    share = np.linspace(0, 1, 200)[:, None]
    line = np.concatenate([a + share * (b - a) for a, b in pairwise(bones)])
    px = project(line[line[:, 2] > 60], scene.intrinsics)
    outside = np.any((px < 0) | (px > PICTURE_PX - 1), axis=1)
    return px[outside.argmax()] if outside.any() else None

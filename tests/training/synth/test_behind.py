"""Bodies behind hands and motion during the exposure: places, shares, labels; what needs OpenGL skips without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engines.errors import UserError
from engines.geometry.pinhole import project
from engines.skeleton import HAND_SLICES
from training.synth.pair.contact import sample_pair
from training.synth.person.people import sample_person
from training.synth.scene.bystanders import BEHIND, BEHIND_SHARE, body_scale, place_body
from training.synth.scene.exposure import MOST_PATH_PX, MOVING_SHARE
from training.synth.scene.scene import Recipe, Rejected, Scene, draw_recipe, draw_scene
from training.synth.scene.views import PICTURE_PX

if TYPE_CHECKING:
    from training.synth.render.sampler import Sample, Sampler


def scene_of(recipe: Recipe, seed: int) -> Scene:
    rng = np.random.default_rng([seed, 99])
    for _ in range(100):
        try:
            return draw_scene(rng, recipe)
        except Rejected:
            continue
    raise AssertionError(f"no scene for {recipe}")


@pytest.fixture(scope="module")
def behind() -> list[Scene]:
    recipes = [(view, kind) for view, kinds in BEHIND.items() for kind, share in kinds.items() if share]
    return [scene_of(Recipe("single", view, n % 2, behind=kind), n) for n, (view, kind) in enumerate(recipes)]


def test_shares_of_bodies_and_motion() -> None:
    recipes = [draw_recipe(np.random.default_rng([1, k])) for k in range(3000)]
    for view, share in BEHIND_SHARE.items():
        seen = [r.behind != "" for r in recipes if r.view == view]
        assert np.mean(seen) == pytest.approx(share, abs=0.06)
    assert np.mean([r.moving for r in recipes]) == pytest.approx(MOVING_SHARE, abs=0.025)
    for shares in BEHIND.values():
        assert sum(shares.values()) == pytest.approx(1)


def test_something_is_in_the_picture_and_nothing_before_the_hands(behind: list[Scene]) -> None:
    for scene in behind:
        assert scene.still and scene.recipe.behind
        assert {prop.owner for prop in scene.still} == {"behind"}
        points = np.vstack([prop.vertices_mm for prop in scene.still])
        points = points[points[:, 2] > 60]
        px = project(points, scene.intrinsics)
        inside = np.all((px > 0) & (px < PICTURE_PX), axis=1)
        assert scene.recipe.behind == "clutter" or inside.any()
        joints = scene.joints_cam_mm[np.repeat(scene.present, 21)]
        if scene.recipe.behind in {"arm", "clutter", "other"} and inside.any():
            assert points[inside, 2].min() > joints[:, 2].max() - 60


def test_arms_come_from_the_shoulders_of_the_body() -> None:
    found = 0
    for seed in range(12):
        rng = np.random.default_rng([seed, 3])
        person = sample_person(rng)
        pair = sample_pair(rng, person.shape, "side", "raised")
        if pair is None:
            continue
        arms = [state.skeleton(person.shape) for state in pair]
        body = place_body(rng, arms, body_scale(person))
        if body is None:
            continue
        found += 1
        assert body.shoulder("left")[0] > body.shoulder("right")[0], "x leads to the person's left"
        for arm in arms:
            upper = np.linalg.norm(body.shoulder(arm.side) - arm.elbow_mm) / body.scale
            assert 180 < upper < 345
            assert np.all(np.linalg.norm(arm.joints_mm - body.middle_mm, axis=1) > 90 * body.scale)
    assert found >= 3


def test_scenes_with_everything_repeat() -> None:
    recipe = Recipe("near", "webcam", 0, held="cup", behind="person", moving=True)
    one, same = scene_of(recipe, 7), scene_of(recipe, 7)
    np.testing.assert_array_equal(one.joints_cam_mm, same.joints_cam_mm)
    for a, b in zip(one.props + one.still, same.props + same.still, strict=True):
        np.testing.assert_array_equal(a.vertices_mm, b.vertices_mm)
    assert one.exposure is not None and same.exposure is not None
    assert one.exposure.path_px == same.exposure.path_px
    np.testing.assert_array_equal(one.during(0.3)[0][0].mesh.vertices_mm, same.during(0.3)[0][0].mesh.vertices_mm)


@pytest.mark.parametrize("mode", ["single", "near", "interlocked_up", "carry"])
def test_labels_are_those_of_the_middle_of_the_exposure(mode: str) -> None:
    held = {"single": "bottle", "carry": "ball"}.get(mode, "")
    for seed in range(3):
        scene = scene_of(Recipe(mode, "webcam", seed % 2, held=held, moving=True), seed)
        exposure = scene.exposure
        assert exposure is not None and 0 < exposure.path_px <= MOST_PATH_PX + 0.5
        shares = exposure.shares()
        assert shares[0] == 0 and len(shares) % 2 == 1 and np.abs(shares).max() < 0.5
        assert shares.mean() == pytest.approx(0)
        shape = scene.person.shape
        ends = [
            {s.side: s.skeleton(shape).joints_mm for s in exposure.at(scene.states, share)}
            for share in (-0.02, 0.0, 0.02)
        ]
        for side, middle in ends[1].items():
            np.testing.assert_array_equal(middle, scene.joints_cam_mm[HAND_SLICES[side]])
            np.testing.assert_allclose((ends[0][side] + ends[2][side]) / 2, middle, atol=0.05)
        whole = [np.vstack([s.skeleton(shape).joints_mm for s in exposure.at(scene.states, k)]) for k in (-0.5, 0.5)]
        speed = np.linalg.norm(whole[1] - whole[0], axis=1).max() / exposure.seconds
        assert 80 < speed < 1700, "mm/s"


def test_what_is_held_moves_with_the_hand() -> None:
    scene = scene_of(Recipe("single", "webcam", 0, held="can", moving=True), 1)
    assert scene.exposure is not None and scene.outfit.held is not None
    held, (before,) = scene.outfit.held, scene.exposure.at(scene.states, -0.5)
    assert held.gap_mm(before, scene.person.shape, before) == pytest.approx(
        held.gap_mm(scene.states[0], scene.person.shape, scene.states[0]), abs=2
    )
    still, moved = (next(p.vertices_mm for p in scene.during(share)[1] if p.owner == "held") for share in (0.0, -0.5))
    assert np.abs(still - moved).max() > 0.2


@pytest.fixture(scope="module")
def sampler() -> Iterator[Sampler]:
    pytest.importorskip("moderngl", reason="moderngl is not installed (make setup EXTRAS=synth)")
    from training.synth.render.sampler import Sampler

    try:
        made = Sampler(17)
    except UserError as error:
        pytest.skip(str(error))
    with made:
        yield made


def drawn(sampler: Sampler, monkeypatch: pytest.MonkeyPatch, index: int, **kind: object) -> Sample:
    """A sample whose recipe is changed; `kind` may hold any field of `Recipe`."""
    monkeypatch.setattr(
        "training.synth.render.sampler.draw_recipe", lambda rng, mode: replace(draw_recipe(rng), **kind)
    )
    return sampler.sample(index)


SINGLE = {"mode": "single", "view": "webcam", "held": ""}


@pytest.fixture(scope="module")
def still(sampler: Sampler) -> list[Sample]:
    """Single hands that do not move, before nothing."""
    with pytest.MonkeyPatch.context() as patch:
        return [drawn(sampler, patch, k, behind="", moving=False, **SINGLE) for k in range(3)]


def test_motion_blurs_and_stays_on_the_labels(
    sampler: Sampler, still: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = [drawn(sampler, monkeypatch, k, behind="", moving=True, **SINGLE) for k in range(3)]
    for sharp, blurred in zip(still, moving, strict=True):
        assert sharp.motion_px == 0 < blurred.motion_px
        np.testing.assert_array_equal(blurred.picture, np.nan_to_num(blurred.picture))
        x, y = np.rint(project(blurred.joints_cam_mm[blurred.joint_visible], blurred.intrinsics)).astype(int).T
        assert np.all(blurred.picture[y, x, 3] > 60)
    soft = [np.mean((s.picture[..., 3] > 0) & (s.picture[..., 3] < 255)) for s in moving]
    hard = [np.mean((s.picture[..., 3] > 0) & (s.picture[..., 3] < 255)) for s in still]
    assert np.mean(soft) > 1.3 * np.mean(hard)


def test_objects_hide_joints(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    """A held object is drawn, counts as an occluder and never hides too much."""
    shares = []
    for index in range(2):
        sample = drawn(sampler, monkeypatch, index, mode="carry", view="webcam", held="box", behind="", moving=False)
        shown = sample.joint_visible.reshape(2, 21)[:, :20].mean(axis=1)
        assert shown.min() >= 0.3
        shares.append(shown.mean())
    assert np.mean(shares) < 0.95


def test_a_body_is_opaque(sampler: Sampler, still: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    before_a_body = [drawn(sampler, monkeypatch, k, behind="other", moving=False, **SINGLE) for k in range(3)]
    covered, alone = ([np.mean(s.picture[..., 3] == 255) for s in samples] for samples in (before_a_body, still))
    assert np.mean(covered) > np.mean(alone) + 0.05

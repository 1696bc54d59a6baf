"""What the generator draws: hands on the renderer, room and sensor. Parts that need OpenGL skip where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from training.synth.hand.model import Placement, hand_mesh, hand_skeleton
from training.synth.hand.poses import GESTURES
from training.synth.hand.shape import neutral_shape, sample_shape
from training.synth.person.appearance import NO_SLEEVE_MM, DressedHand, sample_lights, sample_material, skin_tone
from training.synth.render.sensor import Webcam, srgb_from_linear
from training.synth.scene.background import room
from training.synth.story.keyframes import FACING

if TYPE_CHECKING:
    from training.synth.render.renderer import Renderer

SIZE = 160
CAMERA = Intrinsics(250.0, 250.0, 79.5, 79.5)


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    pytest.importorskip("moderngl", reason="moderngl is not installed (make setup EXTRAS=synth)")
    from training.synth.render.renderer import Renderer

    try:
        made = Renderer(SIZE, SIZE)
    except UserError as error:
        pytest.skip(str(error))
    with made:
        yield made


def scene_hand(side: str, x_mm: float, seed: int = 0, gesture: str = "open") -> tuple[DressedHand, np.ndarray]:
    """A dressed hand and its joints in pixels."""
    rng = np.random.default_rng(seed)
    shape, placement = sample_shape(rng), Placement(np.array([x_mm, 60.0, 520.0]), FACING)
    material = replace(sample_material(rng), sleeve_start_mm=NO_SLEEVE_MM)
    mesh = hand_mesh(shape, GESTURES[gesture], placement, side)
    skeleton = hand_skeleton(shape, GESTURES[gesture], placement, side)
    return DressedHand(mesh, material), project(skeleton.joints_mm, CAMERA)


@pytest.mark.parametrize("seed", range(6))
def test_joints_lie_on_the_hand_and_no_pixel_is_broken(renderer: Renderer, seed: int) -> None:
    hand, joints_px = scene_hand("right", 0.0, seed)
    picture = renderer.render([hand], CAMERA, sample_lights(np.random.default_rng(seed)))
    assert picture.shape == (SIZE, SIZE, 4)
    assert np.isfinite(picture).all() and picture.min() >= 0
    x, y = np.round(joints_px).astype(int).T
    assert np.all(picture[y, x, 3] == 1)
    assert 0.03 < picture[..., 3].mean() < 0.6
    assert picture[..., :3][picture[..., 3] == 0].max() == 0
    assert 0.02 < picture[..., :3][picture[..., 3] == 1].mean() < 3


def test_silhouette_matches_the_projected_mesh(renderer: Renderer) -> None:
    """The picture's pixel (0, 0) is the centre of its top left pixel, as in `engines.geometry.pinhole`."""
    hand, _ = scene_hand("right", 0.0, gesture="spread")
    alpha = renderer.render([hand], CAMERA, sample_lights(np.random.default_rng(0)))[..., 3]
    px = project(hand.mesh.vertices_mm, CAMERA)
    rows, columns = np.nonzero(alpha)
    assert abs(rows.min() - px[:, 1].min()) < 1.0
    assert abs(columns.max() - px[:, 0].max()) < 1.0
    assert abs(columns.min() - px[:, 0].min()) < 1.0


def test_left_hand_is_drawn_as_a_mirror_image(renderer: Renderer) -> None:
    lights = sample_lights(np.random.default_rng(3))
    mirrored = replace(
        lights,
        key_direction=(-lights.key_direction[0], *lights.key_direction[1:]),
        up=(-lights.up[0], *lights.up[1:]),
        fill_directions=lights.fill_directions * [-1, 1, 1],
    )
    right = renderer.render([scene_hand("right", 0.0)[0]], CAMERA, lights)
    left = renderer.render([scene_hand("left", 0.0)[0]], CAMERA, mirrored)[:, ::-1]
    assert np.mean(right[..., 3] != left[..., 3]) < 0.005
    both = (right[..., 3] == 1) & (left[..., 3] == 1)
    difference = np.abs(right[both][:, :3] - left[both][:, :3]).mean()
    assert difference < 0.06 * right[both][:, :3].mean()


def test_nearer_hand_hides_the_other(renderer: Renderer) -> None:
    lights = sample_lights(np.random.default_rng(1))
    front, front_px = scene_hand("right", 0.0)
    behind = DressedHand(
        replace(front.mesh, vertices_mm=front.mesh.vertices_mm + np.array([30, 0, 200], np.float32)),
        replace(front.material, skin=(0.0, 0.3, 0.0), palm=(0.0, 0.3, 0.0)),
    )
    alone = renderer.render([front], CAMERA, lights)
    for order in ([front, behind], [behind, front]):
        together = renderer.render(order, CAMERA, lights)
        x, y = np.round(front_px).astype(int).T
        np.testing.assert_allclose(together[y, x, :3].mean(), alone[y, x, :3].mean(), rtol=0.1)
        assert together[..., 3].sum() > alone[..., 3].sum() * 1.1


def test_sleeve_covers_the_forearm(renderer: Renderer) -> None:
    hand, _ = scene_hand("right", 0.0)
    sleeve = replace(hand.material, sleeve_start_mm=30.0, sleeve=(0.0, 0.0, 0.6), sleeve_stripe=(0.0, 0.0, 0.6))
    lights = sample_lights(np.random.default_rng(0), "studio")
    picture = renderer.render([DressedHand(hand.mesh, sleeve)], CAMERA, lights)
    row = picture[SIZE - 5]
    cloth = row[row[:, 3] == 1]
    assert len(cloth) > 5
    assert np.median(cloth[:, 2] / (cloth[:, 0] + 0.05)) > 2


def test_rendering_repeats(renderer: Renderer) -> None:
    hand, _ = scene_hand("left", 20.0)
    lights = sample_lights(np.random.default_rng(0))
    np.testing.assert_array_equal(renderer.render([hand], CAMERA, lights), renderer.render([hand], CAMERA, lights))


def test_empty_scene_is_empty(renderer: Renderer) -> None:
    assert renderer.render([], CAMERA, sample_lights(np.random.default_rng(0))).max() == 0


@pytest.mark.parametrize("seed", range(4))
def test_room_is_soft_lit_and_repeats(seed: int) -> None:
    picture = room(160, 120, seed)
    assert picture.shape == (120, 160, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert 0.05 < picture.mean() < 0.6
    assert picture.std() > 0.03, "not a plain wall"
    assert np.abs(np.diff(picture, axis=1)).max() < 0.25, "out of focus"
    np.testing.assert_array_equal(picture, room(160, 120, seed))


def test_sensor_adds_its_noise_and_repeats() -> None:
    grey = np.full((120, 120, 3), 0.2, np.float32)
    shot = Webcam().expose(grey, np.random.default_rng(0))
    assert shot.dtype == np.uint8
    assert shot.mean() == pytest.approx(255 * float(srgb_from_linear(np.float32([0.2]))[0]), abs=1.5)
    assert 0.5 < shot.std() < 6
    np.testing.assert_array_equal(shot, Webcam().expose(grey, np.random.default_rng(0)))


def test_srgb_curve_has_its_known_points() -> None:
    np.testing.assert_allclose(srgb_from_linear(np.float32([-1, 0, 0.21404, 1, 7])), [0, 0, 0.5, 1, 1], atol=1e-4)


def test_skin_ramp_darkens() -> None:
    brightness = [skin_tone(position).sum() for position in np.linspace(0, 6, 13)]
    assert np.all(np.diff(brightness) < 0)


def test_materials_and_lights_repeat_with_the_seed() -> None:
    assert sample_material(np.random.default_rng(5)) == sample_material(np.random.default_rng(5))
    assert sample_material(np.random.default_rng(5)) != sample_material(np.random.default_rng(6))
    for seed in range(20):
        lights = sample_lights(np.random.default_rng(seed))
        assert np.linalg.norm(lights.key_direction) == pytest.approx(1.0)
        assert lights.key_direction[2] < 0, "the key light never comes from behind the hands"
        np.testing.assert_allclose(np.linalg.norm(lights.fill_directions, axis=1), 1)


def test_neutral_hand_has_a_closed_lit_surface(renderer: Renderer) -> None:
    mesh = hand_mesh(neutral_shape(), GESTURES["fist"], Placement(np.array([0.0, 60.0, 520.0]), FACING), "right")
    material = sample_material(np.random.default_rng(1), tone=1.0)
    picture = renderer.render([DressedHand(mesh, material)], CAMERA, sample_lights(np.random.default_rng(0), "studio"))
    lit = picture[..., :3][picture[..., 3] == 1].max(axis=1)
    assert np.mean(lit > 0.01) > 0.995

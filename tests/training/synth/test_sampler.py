"""The random sampler without OpenGL: scenes, mixture, limits, contact, framing, light, what is visible."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES
from training.synth.hand.contact import (
    CONTACT_TOLERANCE_MM,
    SELF_TOLERANCE_MM,
    gap_mm,
    gaps_mm,
    hand_capsules,
    rest_thumb,
    self_gap_mm,
)
from training.synth.hand.model import HandSkeleton, HandState, Placement
from training.synth.hand.poses import GESTURES, LOWER_DEG, UPPER_DEG, WRIST_LOWER_DEG, WRIST_UPPER_DEG, JointAngles
from training.synth.hand.shape import neutral_shape
from training.synth.hand.visibility import Layers, hand_shows, visible_joints
from training.synth.pair.arms import forearm_frame, sample_arm
from training.synth.pair.contact import TOLERANCE_MM, sample_pair
from training.synth.pair.families import FAMILIES
from training.synth.pair.plan import facing, hand_about
from training.synth.pair.plans import PAIR_SHARE, PLANNERS
from training.synth.person.bands import Axis, band, outline
from training.synth.person.people import sample_person
from training.synth.scene.panorama import load_panoramas, panorama_lights, panorama_room
from training.synth.scene.scene import PAIR_PICTURES, Recipe, Rejected, Scene, draw_recipe, draw_scene
from training.synth.scene.views import BOX_SHARE, FAMILY_VIEW_SHARE, PICTURE_PX, VIEW_SHARE

MODES = ("single", *PLANNERS)


def scene_of(mode: str, view: str, seed: int) -> Scene:
    """The first usable scene of a kind."""
    rng = np.random.default_rng([seed, 77])
    for _ in range(100):
        try:
            return draw_scene(rng, Recipe(mode, view, seed % 2))
        except Rejected:
            continue
    raise AssertionError(f"no {mode} scene seen as {view}")


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    views = list(VIEW_SHARE)
    return [scene_of(mode, views[k // 2 % 4], k) for k, mode in enumerate(MODES)]  # k tells the side, too


def test_shares_sum_to_one_and_the_recipes_follow_them() -> None:
    assert sum(PAIR_SHARE.values()) == pytest.approx(1) and sum(VIEW_SHARE.values()) == pytest.approx(1)
    assert PAIR_SHARE.keys() == PLANNERS.keys() | {"carry"}
    recipes = [draw_recipe(np.random.default_rng([0, k])) for k in range(3000)]
    modes, views = Counter(r.mode for r in recipes), Counter(r.view for r in recipes)
    assert modes["single"] / 3000 == pytest.approx(1 - PAIR_PICTURES, abs=0.04)
    for mode, share in PAIR_SHARE.items():
        assert modes[mode] / 3000 == pytest.approx(PAIR_PICTURES * share, abs=0.02)
    families = PAIR_PICTURES * sum(PAIR_SHARE[name] for name in FAMILIES)
    for view, share in VIEW_SHARE.items():
        expected = families * FAMILY_VIEW_SHARE[view] + (1 - families) * share
        assert views[view] / 3000 == pytest.approx(expected, abs=0.04)
    assert 0.15 <= VIEW_SHARE["any"] <= 0.20


@pytest.mark.parametrize("mode", ["single", "interlocked_up"])
def test_a_scene_follows_from_its_seed(mode: str) -> None:
    one, same, other = (scene_of(mode, "webcam", seed) for seed in (4, 4, 6))
    np.testing.assert_array_equal(one.joints_cam_mm, same.joints_cam_mm)
    np.testing.assert_array_equal(one.hands[0].mesh.vertices_mm, same.hands[0].mesh.vertices_mm)
    assert one.intrinsics == same.intrinsics
    assert [len(p.vertices_mm) for p in one.props] == [len(p.vertices_mm) for p in same.props]
    assert np.abs(one.joints_cam_mm - other.joints_cam_mm).max() > 1


def test_joints_lie_in_the_picture_and_fill_it_as_promised(scenes: list[Scene]) -> None:
    for scene in scenes:
        joints = scene.joints_cam_mm[np.repeat(scene.present, 21)]
        assert not scene.joints_cam_mm[~np.repeat(scene.present, 21)].any()
        px = project(joints, scene.intrinsics)
        assert px.min() > 0 and px.max() < PICTURE_PX - 1
        share = np.ptp(px, axis=0).max() / PICTURE_PX
        assert BOX_SHARE[0] - 1e-6 <= share <= BOX_SHARE[1] + 1e-6
        assert joints[:, 2].min() > 140 and joints[:, 2].max() < 2000


def test_all_angles_are_inside_the_limits(scenes: list[Scene]) -> None:
    for scene in scenes:
        for state in scene.states:
            assert np.all(state.angles.fingers_deg >= LOWER_DEG - 1e-6)
            assert np.all(state.angles.fingers_deg <= UPPER_DEG + 1e-6)
            assert np.all(state.angles.wrist_deg >= WRIST_LOWER_DEG - 1e-6)
            assert np.all(state.angles.wrist_deg <= WRIST_UPPER_DEG + 1e-6)


def test_no_hand_runs_into_itself_or_the_other(scenes: list[Scene]) -> None:
    for scene in scenes:
        hands = [state.skeleton(scene.person.shape) for state in scene.states]
        assert all(self_gap_mm(hand) >= SELF_TOLERANCE_MM - 1 - 1e-6 for hand in hands)
        if len(hands) == 2:
            assert gap_mm(hands[0], hands[1]) == pytest.approx(scene.gap_mm)
            soft = 2.6 if scene.recipe.mode.startswith(("interlocked", "index_steeple")) else 0.0
            assert scene.gap_mm >= TOLERANCE_MM[0] - soft - 0.2


@pytest.mark.parametrize("mode", ["hold", "over", "touch"])  # families: test_families.py
def test_hands_that_should_touch_do(mode: str) -> None:
    touching = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        shape = sample_person(rng).shape
        pair = sample_pair(rng, shape, mode, "raised")
        if pair is not None:
            touching.append(gap_mm(pair[0].skeleton(shape), pair[1].skeleton(shape)) < 1)
        if len(touching) == 6:  # which takes all sixteen only where most tries are refused
            break
    assert len(touching) >= 2
    assert np.mean(touching) > 0.7


def test_clasped_fingers_lie_between_those_of_the_other_hand() -> None:
    """Along the row of knuckles the fingers of both hands take turns, and the rows are near each other."""
    found = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        shape = sample_person(rng).shape
        pair = sample_pair(rng, shape, "interlocked_up", "raised")
        if pair is None:
            continue
        right, left = (state.skeleton(shape).joints_mm for state in pair)
        row = right[7] - right[19]
        places = np.concatenate([(hand[[7, 11, 15, 19]] - right[19]) @ row / (row @ row) for hand in (right, left)])
        owner = np.repeat([0, 1], 4)[np.argsort(places)]
        assert np.sum(owner[1:] != owner[:-1]) >= 5
        found += 1
    assert found >= 4


def test_person_stands_where_the_view_says() -> None:
    """Seen by a webcam, and by the person's own eyes, most forearms come from below."""
    below = {}
    for view in ("webcam", "egocentric"):
        rises = []
        for seed in range(30):
            scene = scene_of("single", view, seed)
            hand = scene.states[0].skeleton(scene.person.shape)
            elbow, wrist = project(np.stack([hand.elbow_mm, hand.joints_mm[20]]).clip([-1e4, -1e4, 60], 1e4), CAMERA)
            rises.append(elbow[1] > wrist[1])
        below[view] = np.mean(rises)
    assert below["webcam"] > 0.7 and below["egocentric"] > 0.6


CAMERA = Intrinsics(300.0, 300.0, 159.5, 159.5)


def test_forearm_frame_is_a_rotation_whose_palm_looks_forward_or_down() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        direction = rng.normal(size=3)
        frame = forearm_frame(direction / np.linalg.norm(direction), rng.uniform(-180, 180))
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(frame) == pytest.approx(1)
    up, forward = np.array([0.0, -1, 0]), np.array([0.0, 0, -1])
    np.testing.assert_allclose(forearm_frame(up, 0)[:, 2], forward, atol=1e-12)
    np.testing.assert_allclose(forearm_frame(forward, 0)[:, 2], -up, atol=1e-12)
    np.testing.assert_allclose(forearm_frame(up, 0)[:, 0], [1, 0, 0], atol=1e-12)  # the thumb to the person's left


def test_left_arm_is_the_mirror_image_of_the_right_one() -> None:
    shape = neutral_shape()
    right, left = (sample_arm(np.random.default_rng(3), shape, side, "raised").skeleton(shape) for side in SIDES)
    np.testing.assert_allclose(left.joints_mm, right.joints_mm * [-1, 1, 1], atol=1e-6)


def test_thumb_rests_near_the_other_hand_without_running_into_it() -> None:
    shape = neutral_shape()
    other = hand_about("left", GESTURES["fist"], facing([0, -1, 0], [0, 0, 1]), [0, 0, 52], shape).skeleton(shape)
    state = hand_about("right", GESTURES["open"], facing([0, -1, 0], [0, 0, 1]), np.zeros(3), shape)

    def skeleton_of(angles: JointAngles) -> HandSkeleton:
        return HandState("right", angles, state.placement).skeleton(shape)

    rested = rest_thumb(state.angles, skeleton_of, other)
    assert rested is not None
    np.testing.assert_array_equal(rested.fingers_deg[1:], state.angles.fingers_deg[1:])
    capsules = hand_capsules(skeleton_of(rested), forearm=False)
    thumb = gaps_mm(capsules.select(capsules.finger == 0), hand_capsules(other)).min()
    assert thumb >= CONTACT_TOLERANCE_MM
    buried = HandState(
        "left", GESTURES["fist"], Placement(state.placement.wrist_cam_mm, state.placement.camera_from_hand)
    )
    assert rest_thumb(state.angles, skeleton_of, buried.skeleton(shape)) is None


def test_skin_tones_are_even_and_all_ages_occur() -> None:
    people = [sample_person(np.random.default_rng(k)) for k in range(240)]
    counts = np.histogram([p.tone for p in people], bins=6, range=(0, 6))[0]
    assert counts.min() > 22
    ages = Counter(p.age for p in people)
    assert ages["adult"] > ages["elder"] > 10 and ages["child"] > 10
    palm = {age: np.mean([_palm_mm(p.shape.joints_mm) for p in people if p.age == age]) for age in ages}
    assert palm["child"] < 0.87 * palm["adult"]


def _palm_mm(joints: np.ndarray) -> float:
    return float(np.linalg.norm(joints[11] - joints[20]))


def test_bands_face_outwards_and_follow_the_outline() -> None:
    axis = Axis.between(np.zeros(3), np.array([0.0, 0, 100]), np.array([1.0, 0, 0]))
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    points = np.stack([20 * np.cos(angle), 12 * np.sin(angle), np.zeros(400)], axis=1)
    radius = outline(points, axis, 0.0, 3.0, 24)
    assert radius is not None
    assert radius[0] == pytest.approx(20, abs=1) and radius[6] == pytest.approx(12, abs=1)
    assert outline(points, axis, 50.0, 3.0, 24) is None
    material = sample_person(np.random.default_rng(0)).material
    prop = band("right", axis, [0.0, 10, 20], np.tile(radius, (3, 1)), material)
    radial = prop.vertices_mm * [1, 1, 0]
    assert np.all(np.sum(radial * prop.normals, axis=1) > 0)
    np.testing.assert_allclose(np.linalg.norm(prop.normals, axis=1), 1, atol=1e-9)


def test_visible_are_joints_right_under_their_own_surface() -> None:
    joints = np.column_stack([np.linspace(-60, 60, 21), np.zeros(21), np.full(21, 500.0)])
    depth, owner = np.full((320, 320), 492.0, np.float32), np.zeros((320, 320), np.int8)
    everything = visible_joints(Layers(depth, owner), joints, "right", CAMERA, 1.0)
    assert everything.all() and hand_shows(everything, 1.0)
    column = np.rint(project(joints, CAMERA)).astype(int)[:, 0]
    owner[:, : column[6]] = 1  # the other hand lies there
    depth[:, column[15] :] = 380  # something of the own arm far in front
    seen = visible_joints(Layers(depth, owner), joints, "right", CAMERA, 1.0)
    np.testing.assert_array_equal(np.flatnonzero(seen), np.arange(6, 15))
    assert hand_shows(seen, 0.4) and not hand_shows(seen, 0.5)
    assert not visible_joints(Layers(depth, owner), joints + [900, 0, 0], "right", CAMERA, 1.0).any()


def test_panorama_gives_its_colour_from_its_side(tmp_path: Path) -> None:
    picture = np.full((64, 128, 3), 0.2, np.float32)
    picture[8:20, 30:40] = (2.0, 6.0, 20.0)  # BGR: a red lamp, high
    cv2.imwrite(str(tmp_path / "lamp.hdr"), picture)
    (panorama,) = load_panoramas(tmp_path)
    for seed in range(5):
        lights = panorama_lights(np.random.default_rng(seed), panorama)
        assert lights.style == "panorama"
        assert lights.key_radiance[0] > lights.key_radiance[2] > 0
        assert np.dot(lights.key_direction, lights.up) > 0.3
        values = np.concatenate([lights.key_radiance, lights.sky, lights.ground, lights.fill_radiance.ravel()])
        assert np.isfinite(values).all() and values.min() >= 0 and values.max() < 5


def test_a_room_shows_its_lamp_where_the_light_comes_from(tmp_path: Path) -> None:
    picture = np.full((128, 256, 3), 0.2, np.float32)
    picture[60:68, 120:136] = 30.0
    cv2.imwrite(str(tmp_path / "lamp.hdr"), picture)
    (panorama,) = load_panoramas(tmp_path)
    lights, room = panorama_room(np.random.default_rng(2), panorama)
    key = np.array(lights.key_direction)
    # a camera of 90 degrees that looks at the lamp: the room is turned instead of the camera
    forward = np.array([0.0, 0, 1])
    turn, _ = Rotation.align_vectors(key[None], forward[None])
    looking = replace(room, panorama_from_camera=room.panorama_from_camera @ turn.as_matrix(), blur_px=0.7)
    view = looking.view(Intrinsics(50.0, 50.0, 49.5, 49.5), 100)
    assert view.shape == (100, 100, 3) and view.min() >= 0 and view.max() <= 1
    assert view[44:56, 44:56].mean() > 0.95 and np.median(view) < 0.8


def test_adults_have_the_size_of_adults() -> None:
    people = [sample_person(np.random.default_rng([8, k])) for k in range(300)]
    long = np.array([_hand_mm(p.shape.joints_mm) for p in people])
    grown = np.array([p.age != "child" for p in people])
    assert 0.8 < grown.mean() < 0.92
    assert long[grown].mean() == pytest.approx(178, abs=2) and long[grown].std() == pytest.approx(10, abs=1.5)
    assert long[~grown].min() > 105 and long[~grown].mean() < 155


def _hand_mm(joints: np.ndarray) -> float:
    """Wrist to middle finger tip along the bones."""
    return float(np.linalg.norm(np.diff(joints[[20, 11, 10, 9, 8]], axis=0), axis=1).sum())


def test_missing_folder_and_damaged_panorama_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        load_panoramas(tmp_path / "nowhere")
    (tmp_path / "bad.hdr").write_bytes(b"#?RADIANCE\nrubbish")
    with pytest.raises(UserError, match=r"bad\.hdr") as caught:
        load_panoramas(tmp_path)
    assert "\n" not in str(caught.value)


def test_joints_of_a_side_are_in_its_rows(scenes: list[Scene]) -> None:
    for scene in scenes:
        for state in scene.states:
            joints = state.skeleton(scene.person.shape).joints_mm
            np.testing.assert_allclose(scene.joints_cam_mm[HAND_SLICES[state.side]], joints)
            assert scene.present[SIDES.index(state.side)]

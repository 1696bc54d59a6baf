"""Closed form, fusion by uncertainty, and a known hand's size, fed with hands of known bones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.crop import crop_around
from engines.geometry.pinhole import Intrinsics, project, rays, rootnet_k
from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, SIDES, WRIST, Side
from realtime.camera_space.bone_lengths import bone_lengths
from realtime.camera_space.closed_form import (
    PROPORTIONS,
    TYPICAL_HAND_MM,
    DepthEstimate,
    Sight,
    bones_of,
    closed_form_depth,
)
from realtime.camera_space.fusion import DepthFusion
from realtime.camera_space.hand_size import HandProfile, measure_hand
from realtime.camera_space.wrist_depth import UNKNOWN_SIZE, DepthMethod, fused, leaning, measured_depth
from realtime.cli.hand_profile import load_profile, save_profile
from realtime.cli.measuring import keep_length
from realtime.cli.options import parse
from realtime.messages import HandFrame
from realtime.tracking.tracker import Observation
from tests.support.hand_frames import joints_mm
from training.depth import main as depth_main
from training.depth import write_json
from training.evaluation.wrist_depths import DepthFigures

CAMERA = Intrinsics(554.0, 560.0, 319.5, 239.5)
BARREL = replace(CAMERA, distortion=(-0.25, 0.06, 0.001, -0.001))
METHODS: tuple[DepthMethod, ...] = ("root", "closed", "fused")


def sight(joints: NDArray, ray_sigma: float = 1e-3, relative_sigma_mm: float = 4.0) -> Sight:
    """Joints (21, 3) mm as they are seen without any error."""
    relative_sigma = np.full(21, relative_sigma_mm)
    relative_sigma[WRIST] = 0.0
    return Sight(joints[:, :2] / joints[:, 2:], joints[:, 2] - joints[WRIST, 2], np.full(21, ray_sigma), relative_sigma)


def observation(
    joints: NDArray, camera: Intrinsics, side: Side = "right", shared: bool = False, gamma_off: float = 1.0
) -> Observation:
    """A perfect network's sight of a hand, its RootNet factor off by `gamma_off`.

    The factor belongs to the square that a lens without distortion would show.
    """
    pixels = project(joints, camera)
    rows = HAND_SLICES[side]
    crop = crop_around(pixels)
    ideal_px = crop_around(project(joints, replace(camera, distortion=()))).side_px
    depth, gamma = np.zeros(42, np.float32), np.ones(2, np.float32)
    depth[rows] = joints[:, 2] - joints[WRIST, 2]
    gamma[SIDES.index(side)] = gamma_off * joints[WRIST, 2] / rootnet_k(ideal_px, camera.fx, camera.fy)
    f32 = np.float32
    output = NetworkOutput(np.zeros((42, 2), f32), depth, np.full(42, 0.9, f32), np.ones(2, f32), -60.0, gamma)
    return Observation(side, side, output, crop, pixels, 0.99, 0.9, shared)


@settings(deadline=None, max_examples=60)
@given(
    turn=st.tuples(*[st.floats(-1.0, 1.0)] * 3),
    place=st.tuples(st.floats(-200, 200), st.floats(-150, 150), st.floats(250, 1500)),
    curl=st.floats(0, 60),
)
def test_an_exact_hand_has_its_exact_depth(
    turn: tuple[float, float, float], place: tuple[float, float, float], curl: float
) -> None:
    """Whatever the pose: with true bones the closed form finds the wrist where it is."""
    hand = joints_mm("right", (0.0, 0.0, 0.0), curl).astype(np.float64)
    x, y, z = turn
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.linalg.solve(np.eye(3) + skew / 2, np.eye(3) - skew / 2)  # Cayley
    hand = hand @ rotation.T + np.array(place)
    found = closed_form_depth(sight(hand), bone_lengths(hand))
    assert found.depth_mm == pytest.approx(place[2], rel=1e-3)


def test_bones_half_as_long_are_half_as_far() -> None:
    hand = joints_mm("left", (60.0, -20.0, 500.0)).astype(np.float64)
    lengths = bone_lengths(hand)
    whole = sight(hand)
    half = replace(whole, relative_mm=whole.relative_mm / 2, relative_sigma_mm=whole.relative_sigma_mm / 2)
    near = closed_form_depth(half, lengths / 2)
    assert near.depth_mm == pytest.approx(250, rel=1e-3)
    assert near.sigma_mm == pytest.approx(closed_form_depth(whole, lengths).sigma_mm / 2, rel=0.01)


@pytest.mark.parametrize(("ray_sigma", "relative_sigma_mm"), [(0.0005, 0.5), (0.001, 2.0), (0.002, 4.0)])
def test_noise_gives_the_spread_that_is_announced(ray_sigma: float, relative_sigma_mm: float) -> None:
    """Hands whose bones stray by 7 %, joints with a little noise: error over sigma is about 1 (root mean square)."""
    rng = np.random.default_rng(5)
    z = []
    for _ in range(150):
        hand = _typical_hand(180.0, (40.0, 30.0, 550.0), rng.normal(1, 0.07, 20))
        clean = sight(hand, ray_sigma, relative_sigma_mm)
        noisy = replace(
            clean,
            rays=clean.rays + rng.normal(0, ray_sigma, (21, 2)),
            relative_mm=clean.relative_mm + rng.normal(0, 1, 21) * clean.relative_sigma_mm,
        )
        found = closed_form_depth(noisy, bones_of(180.0))
        z.append((found.depth_mm - 550) / found.sigma_mm)
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.3


def test_a_hand_that_points_at_the_camera_is_unsure() -> None:
    flat = joints_mm("right", (0.0, 0.0, 500.0), 0.0).astype(np.float64)
    pointing = np.stack([flat[:, 0] * 0.15, flat[:, 1] * 0.15, 500 + flat[:, 1]], axis=1)
    lengths = bone_lengths(flat)
    assert closed_form_depth(sight(pointing), lengths).sigma_mm > 3 * closed_form_depth(sight(flat), lengths).sigma_mm


def test_garbage_gives_a_finite_depth_that_is_not_believed() -> None:
    nowhere = Sight(np.zeros((21, 2)), np.zeros(21), np.full(21, 0.01), np.full(21, 20.0))
    found = closed_form_depth(nowhere, bones_of(180))
    assert np.isfinite([found.depth_mm, found.sigma_mm]).all()
    assert found.sigma_mm > found.depth_mm / 2


def test_proportions_are_those_of_a_hand() -> None:
    assert PROPORTIONS[8:12].sum() == pytest.approx(1.0, abs=0.005)
    of_test_hand = bone_lengths(joints_mm("right", (0, 0, 500)))
    np.testing.assert_allclose(bones_of(178.0), of_test_hand, rtol=0.25)


@given(a=st.floats(200, 1500), b=st.floats(200, 1500), sa=st.floats(0.01, 0.4), sb=st.floats(0.01, 0.4))
def test_fusing_lies_between_and_is_surer(a: float, b: float, sa: float, sb: float) -> None:
    one = fused(DepthEstimate(a, sa * a), DepthEstimate(b, sb * b))
    assert min(a, b) * 0.999 <= one.depth_mm <= max(a, b) * 1.001
    assert one.sigma_mm / one.depth_mm <= min(sa, sb) * 1.001
    nearer_to_a = abs(np.log(one.depth_mm / a)) <= abs(np.log(one.depth_mm / b)) + 1e-9
    assert nearer_to_a == (sa <= sb) or abs(np.log(a / b)) < 1e-6 or abs(sa - sb) < 1e-6


@pytest.mark.parametrize("camera", [CAMERA, BARREL])
@pytest.mark.parametrize("method", METHODS)
def test_each_source_finds_a_hand_of_known_length(method: DepthMethod, camera: Intrinsics) -> None:
    """A hand of typical proportions and 195 mm, RootNet taking it for a typical one: with the length all is right."""
    hand = _typical_hand(195.0, (70.0, -40.0, 520.0))
    one = observation(hand, camera, gamma_off=TYPICAL_HAND_MM / 195.0)
    one = replace(one, output=replace(one.output, joint_depth_mm=one.output.joint_depth_mm * TYPICAL_HAND_MM / 195.0))
    blind, name = measured_depth(one, method, None, camera)
    assert blind.depth_mm == pytest.approx(520 * TYPICAL_HAND_MM / 195, rel=0.02)
    assert blind.sigma_mm > UNKNOWN_SIZE * blind.depth_mm
    assert name == {"root": "rootnet", "closed": "closed_form", "fused": "fused"}[method]
    known, name = measured_depth(one, method, 195.0, camera)
    assert known.depth_mm == pytest.approx(520, rel=0.02)
    assert known.sigma_mm < 0.6 * blind.sigma_mm
    assert name == {"root": "known_size", "closed": "closed_form", "fused": "fused"}[method]


@pytest.mark.parametrize("method", METHODS)
def test_the_whole_hand_scales_with_its_length(method: DepthMethod) -> None:
    one = observation(_typical_hand(180.0, (30.0, 20.0, 500.0)), CAMERA)
    small, large = (DepthFusion(0.0, method, length)([one], 0.0, CAMERA)[0] for length in (120.0, 240.0))
    np.testing.assert_allclose(large.joints_cam_mm, 2 * small.joints_cam_mm, rtol=1e-3, atol=0.1)
    np.testing.assert_array_equal(large.joints_px, small.joints_px)
    assert large.root_depth_sigma_mm == pytest.approx(2 * small.root_depth_sigma_mm, rel=1e-3)


def test_the_left_hand_beside_the_right_one_is_less_sure() -> None:
    right = observation(_typical_hand(TYPICAL_HAND_MM, (-50.0, 0.0, 500.0)), CAMERA, "right", shared=True)
    left = observation(_typical_hand(TYPICAL_HAND_MM, (50.0, 0.0, 440.0)), CAMERA, "left", shared=True)
    first, second = DepthFusion(0.0, "root", TYPICAL_HAND_MM)([right, left], 0.0, CAMERA)
    assert (first.root_depth_from, second.root_depth_from) == ("known_size", "relative")
    assert second.joints_cam_mm[WRIST, 2] == pytest.approx(440, abs=1)
    assert second.root_depth_sigma_mm > first.root_depth_sigma_mm


def test_distortion_is_undone_at_the_joints() -> None:
    """Through a barrel lens, near the picture's corner: the hand comes out where it is, and projects back."""
    hand = _typical_hand(TYPICAL_HAND_MM, (210.0, 140.0, 520.0))
    one = observation(hand, BARREL)
    pose = DepthFusion(0.0, "closed")([one], 0.0, BARREL)[0]
    np.testing.assert_allclose(pose.joints_cam_mm, hand, atol=2.0)
    np.testing.assert_allclose(project(pose.joints_cam_mm, BARREL), one.joints_px, atol=0.05)
    ignoring = DepthFusion(0.0, "closed")([one], 0.0, CAMERA)[0]
    assert np.abs(ignoring.joints_cam_mm - hand).max() > 10
    np.testing.assert_allclose(rays(one.joints_px, BARREL), hand[:, :2] / hand[:, 2:], atol=1e-4)


def test_a_hand_is_measured_at_a_known_distance() -> None:
    def frame(i: int, depth_mm: float, confidence: float = 0.9) -> HandFrame:
        one = observation(_typical_hand(TYPICAL_HAND_MM, (0.0, 0.0, depth_mm)), CAMERA)
        pose = DepthFusion(0.0)([one], 0.0, CAMERA)[0]
        return HandFrame(
            i, i / 30, (replace(pose, confidence=np.full(21, confidence, np.float32)),), CAMERA, (640, 480)
        )

    noise = np.random.default_rng(2).normal(1, 0.05, 60)
    frames = [frame(i, 460 * share) for i, share in enumerate(noise)] + [frame(99, 2000.0, confidence=0.3)]
    profile = measure_hand(frames, 500.0)
    assert profile.hand_length_mm == pytest.approx(TYPICAL_HAND_MM * 500 / 460, rel=0.02)
    assert profile.spread_mm == pytest.approx(0.05 * profile.hand_length_mm, rel=0.4)
    with pytest.raises(UserError, match="seen 29 times"):
        measure_hand(frames[:29], 500.0)
    with pytest.raises(UserError, match="mm long"):
        measure_hand(frames, 2500.0)


def test_the_profile_is_kept_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera takes the user's own; a recording only one that is named; what is typed wins."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "two-hands-live" / "profile.yaml"
    assert parse(["--camera", "0"]).settings.fusion.hand_length_mm is None
    save_profile(path, HandProfile(188.5, 6.0))
    assert load_profile(path) == HandProfile(188.5, 6.0)
    assert parse(["--camera", "0"]).settings.fusion.hand_length_mm == 188.5
    assert parse(["--camera", "0", "--hand-length-mm", "170"]).settings.fusion.hand_length_mm == 170
    assert parse(["--camera", "0", "--calibrate-hand", "500"]).settings.fusion.hand_length_mm is None
    assert parse(["--video", "a.mp4"]).settings.fusion.hand_length_mm is None
    named = parse(["--video", "a.mp4", "--profile-file", str(path), "--depth", "fused"]).settings.fusion
    assert (named.hand_length_mm, named.depth) == (188.5, "fused")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- 1", "no profile"),
        ("hand_length_mm: tall", "no profile"),
        ("a: [", "no YAML"),
        ("hand_length_mm: 1800", "1800 mm"),
    ],
)
def test_a_bad_profile_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=problem) as caught:
        load_profile(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        load_profile(tmp_path / "none.yaml")


def test_what_is_no_profile_is_not_replaced(tmp_path: Path) -> None:
    settings = tmp_path / "my.yaml"
    settings.write_text("fusion: {depth: fused}\n")
    options = parse(["--video", "a.mp4", "--hand-length-mm", "180", "--profile-file", str(settings)])
    with pytest.raises(UserError, match=r"my\.yaml"):
        keep_length(options.hand)
    assert settings.read_text() == "fusion: {depth: fused}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--video", "a.mp4", "--calibrate-hand", "500"],
        ["--camera", "0", "--calibrate-hand", "500", "--hand-length-mm", "180"],
        ["--camera", "0", "--hand-length-mm", "18"],
        ["--camera", "0", "--depth", "guess"],
    ],
)
def test_words_that_do_not_go_together(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_comparison_wants_a_number_of_samples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        depth_main(["--limit", "-1"])
    assert "--limit: must be at least 1" in capsys.readouterr().err


def test_figures_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x.json"
    with pytest.raises(UserError, match=r"x\.json: the figures cannot be written"):
        write_json(path, {"rootnet": DepthFigures(2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)})


def _typical_hand(
    length_mm: float, wrist_mm: tuple[float, float, float], shares: NDArray | float = 1.0
) -> NDArray[np.float64]:
    """(21, 3) a slightly bent hand whose bones have the typical proportions, times `shares` (20,)."""
    hand = joints_mm("right", (0.0, 0.0, 0.0), 12.0).astype(np.float64)
    bones = bones_of(length_mm) * shares
    joints = np.zeros((21, 3))
    joints[WRIST] = 0.0
    for finger in range(5):
        parent = WRIST
        for joint in (4 * finger + 3, 4 * finger + 2, 4 * finger + 1, 4 * finger):
            way = hand[joint] - hand[parent]
            joints[joint] = joints[parent] + way / np.linalg.norm(way) * bones[joint]
            parent = joint
    return joints + np.array(wrist_mm)


def test_a_hand_of_which_little_is_seen_leans_on_the_other_and_a_sure_one_does_not() -> None:
    near, far = DepthEstimate(600.0, 40.0), DepthEstimate(1400.0, 90.0)
    assert leaning(near, 0.9, far, 0.2) is near
    held = [leaning(far, confidence, near, 0.9) for confidence in (0.6, 0.45, 0.3, 0.15)]
    assert held[0] is far
    assert (np.diff([one.depth_mm for one in held]) < -20).all()
    assert near.depth_mm < held[-1].depth_mm < 900
    assert all(one.sigma_mm / one.depth_mm > far.sigma_mm / far.depth_mm for one in held[1:])
    nudged = leaning(far, 0.6 - 1e-6, near, 0.9)  # no step where doubt begins
    assert nudged.depth_mm == pytest.approx(far.depth_mm, abs=1e-3)


def test_both_hands_in_one_crop_keep_to_the_rule_of_relative_depth() -> None:
    hands = [
        observation(_typical_hand(TYPICAL_HAND_MM, (x, 0.0, z)), CAMERA, side, shared=True)
        for x, z, side in ((-50.0, 500.0, "right"), (50.0, 440.0, "left"))
    ]
    unsure = [replace(one, confidence=0.2) for one in hands]
    apart = [replace(one, shared=False) for one in unsure]
    sure, same = (DepthFusion(0.0, leans=True)(seen, 0.0, CAMERA) for seen in (hands, unsure))
    assert [one.joints_cam_mm[WRIST, 2] for one in sure] == [one.joints_cam_mm[WRIST, 2] for one in same]
    ratios = [
        np.divide(*(p.joints_cam_mm[WRIST, 2] for p in DepthFusion(0.0, leans=True)(s, 0.0, CAMERA)))
        for s in (hands, apart)
    ]
    assert abs(np.log(ratios[1])) < 0.8 * abs(np.log(ratios[0]))

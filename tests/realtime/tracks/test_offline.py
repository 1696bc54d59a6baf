"""Smoothing that may look ahead: closer to the truth than the live way, no lag, gaps filled and marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.geometry.pinhole import backproject, project
from engines.skeleton import HAND_SLICES, SIDES, WRISTS
from realtime.camera_space.bone_lengths import bone_lengths, hand_length, keep_lengths
from realtime.tracks.offline import FILL_S, smooth_offline
from realtime.tracks.schema import FRAME_FIELDS, ROOT_DEPTH_NAMES, Tracks
from tests.support.hand_frames import INTRINSICS, joints_mm
from tests.support.track_files import tracks_of

FILLED = ROOT_DEPTH_NAMES.index("filled")


def noisy(tracks: Tracks, px: float = 3.0, relative_mm: float = 10.0, wrist_mm: float = 15.0, seed: int = 0) -> Tracks:
    """The same tracks as a network would see them."""
    rng = np.random.default_rng(seed)
    count = len(tracks)
    joints_px = tracks.joints_px + rng.normal(0, px, (count, 42, 2))
    depth = tracks.joints_cam_mm[..., 2] + rng.normal(0, relative_mm, (count, 42))
    depth += np.repeat(rng.normal(0, wrist_mm, (count, 2)), 21, axis=1)
    joints = backproject(joints_px, depth, INTRINSICS)
    return replace(tracks, joints_px=joints_px.astype(np.float32), joints_cam_mm=joints.astype(np.float32))


def error_mm(found: Tracks, truth: Tracks) -> float:
    return float(np.nanmean(np.linalg.norm(found.joints_cam_mm - truth.joints_cam_mm, axis=-1)))


def jitter(tracks: Tracks, truth: Tracks) -> float:
    extra = np.diff(tracks.joints_cam_mm.astype(float) - truth.joints_cam_mm, 2, axis=0)
    return float(np.nanmean(np.linalg.norm(extra, axis=-1)))


def test_noise_goes_and_the_motion_stays() -> None:
    truth = tracks_of(["rl"] * 120)
    raw = noisy(truth)
    smooth = smooth_offline(raw)
    assert error_mm(smooth, truth) < 0.45 * error_mm(raw, truth)
    assert jitter(smooth, truth) < 0.1 * jitter(raw, truth)
    np.testing.assert_allclose(smooth.joints_px, project(smooth.joints_cam_mm, INTRINSICS), atol=0.05)


def test_there_is_no_lag() -> None:
    """A hand that sways once a second comes out in step: backwards in time gives the same."""
    truth = tracks_of(["r"] * 121)
    smooth = smooth_offline(truth)
    mirrored = replace(truth, **{name: getattr(truth, name)[::-1] for name in FRAME_FIELDS if name != "t_s"})
    backwards = smooth_offline(mirrored).joints_cam_mm[::-1]
    np.testing.assert_allclose(smooth.joints_cam_mm[:, :21], backwards[:, :21], atol=0.02)
    inner = slice(15, -15)
    x, wanted = smooth.joints_cam_mm[inner, WRISTS[0], 0], truth.joints_cam_mm[inner, WRISTS[0], 0]
    assert np.corrcoef(x, wanted)[0, 1] > 0.9999


def test_gaps_of_a_few_frames_are_filled_and_marked() -> None:
    present = ["rl"] * 60
    for i in (20, 21, 22, 40):
        present[i] = "r"
    truth, holes = tracks_of(["rl"] * 60), tracks_of(present)
    filled = smooth_offline(holes)
    marked = filled.root_depth_from == FILLED
    assert np.flatnonzero(marked[:, 1]).tolist() == [20, 21, 22, 40]
    assert not marked[:, 0].any()
    assert (filled.hand_probability[marked] == 0).all()
    assert (filled.joint_confidence[20, HAND_SLICES["left"]] == 0).all()
    distance = np.linalg.norm(filled.joints_cam_mm - truth.joints_cam_mm, axis=-1)[[20, 21, 22, 40], 21:]
    assert distance.max() < 6
    assert [hand.root_depth_from for hand in filled.hand_frame(21).hands] == ["rootnet", "filled"]


def test_long_gaps_and_short_appearances_stay_as_they_are() -> None:
    away = int(FILL_S * 30) + 2
    tracks = tracks_of(["rl"] * 30 + ["r"] * away + ["rl"] * 3 + ["r"] * 30)
    smooth = smooth_offline(tracks)
    np.testing.assert_array_equal(smooth.root_depth_from, tracks.root_depth_from)
    alone = slice(30 + away, 33 + away)
    np.testing.assert_array_equal(smooth.joints_cam_mm[alone, 21:], tracks.joints_cam_mm[alone, 21:])


def test_tracks_without_hands_come_back_as_they_were() -> None:
    tracks = tracks_of([""] * 20)
    assert smooth_offline(tracks) is tracks


@pytest.mark.parametrize("fps", [15, 30, 120])
def test_the_frame_rate_does_not_change_what_is_smoothed_away(fps: int) -> None:
    """A sway of 1 Hz keeps its size, one of 9 Hz goes, at any rate."""
    kept = []
    for hz in (1.0, 6.0):
        tracks = tracks_of(["r"] * (4 * fps), step_s=1 / fps, sway_mm=0.0)
        wave = 10 * np.sin(2 * np.pi * hz * tracks.t_s)[:, None]
        joints = tracks.joints_cam_mm.copy()
        joints[:, :21, 0] = joints[0, :21, 0] + wave
        joints[:, :21, 1:] = joints[0, :21, 1:]
        joints_px = project(joints, INTRINSICS).astype(np.float32)
        smooth = smooth_offline(replace(tracks, joints_cam_mm=joints, joints_px=joints_px))
        inner = slice(fps, -fps)
        moved = smooth.joints_cam_mm[inner, WRISTS[0], 0] - joints[0, WRISTS[0], 0] + wave[0, 0]
        kept.append(float(np.ptp(moved) / np.ptp(wave[inner])))
    assert kept[0] > 0.95
    assert kept[1] == pytest.approx(1 / (1 + (6 / 3.7) ** 4), abs=0.03)


def test_a_known_hand_sets_the_scale() -> None:
    truth = tracks_of(["rl"] * 60)
    small = replace(truth, joints_cam_mm=truth.joints_cam_mm * np.float32(0.9))
    length = hand_length(bone_lengths(truth.joints_cam_mm[0, :21]))
    assert length == pytest.approx(84 + 43 + 29 + 22, abs=0.1)
    assert error_mm(smooth_offline(small, length), truth) < 0.05 * error_mm(small, truth)


HANDS = st.tuples(st.floats(0, 35), st.floats(-150, 150), st.floats(-100, 100), st.floats(300, 900))


@given(HANDS, st.sampled_from(SIDES))
def test_depths_that_agree_are_left_alone(hand: tuple[float, float, float, float], side: str) -> None:
    curl, *wrist = hand
    joints = joints_mm(side, tuple(wrist), curl).astype(float)[None]  # type: ignore[arg-type]
    depth = keep_lengths(project(joints, INTRINSICS), joints[..., 2], bone_lengths(joints)[0], INTRINSICS)
    np.testing.assert_allclose(depth, joints[..., 2], atol=1e-6)


@given(HANDS, st.integers(0, 1000))
def test_bones_come_nearer_to_their_lengths(hand: tuple[float, float, float, float], seed: int) -> None:
    curl, *wrist = hand
    joints = joints_mm("left", tuple(wrist), curl).astype(float)[None]  # type: ignore[arg-type]
    lengths = bone_lengths(joints)[0]
    rng = np.random.default_rng(seed)
    measured = joints[..., 2] + rng.normal(0, 10, (1, 21))
    pixels = project(joints, INTRINSICS)

    def misfit(depth: NDArray[np.float64]) -> float:
        return float(np.abs(bone_lengths(backproject(pixels, depth, INTRINSICS)) - lengths).mean())

    assert misfit(keep_lengths(pixels, measured, lengths, INTRINSICS)) < 0.75 * misfit(measured)

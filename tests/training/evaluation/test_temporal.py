"""Jitter and lag of tracks, on motion whose answer is known; and a clip judged before and after smoothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from engines.errors import UserError
from engines.geometry.crop import Crop
from engines.geometry.pinhole import backproject
from engines.skeleton import HAND_SLICES, SIDES
from realtime.layers import load_settings
from realtime.messages import HandFrame, HandPose
from tests.support.recordings import SAMPLE, cut
from training.evaluation.clips import Truth, compare, compare_motion, load_truth
from training.evaluation.temporal import jitter, lag_frames, motion_classes, temporal_figures
from training.sequences import clips_of, main, mean_of, smoothed

STEP_S = 1 / 30
FRAMES = 240
JUDGED = 120
"""Of the sample clip: hands come in, move and stand still."""


def smooth_motion(seed: int, frames: int = FRAMES) -> NDArray[np.float64]:
    """(F, 42, 3) joints that wander by centimetres, as smooth as a hand's."""
    rng = np.random.default_rng(seed)
    wander = gaussian_filter1d(rng.normal(0, 1, (frames + 40, 2, 3)), 6, axis=0)[20:-20]
    wander *= 60 / wander.std()
    return np.repeat(wander, 21, axis=1) + rng.normal(0, 40, (42, 3)) + [0, 0, 500]


def delayed(joints: NDArray, frames: float) -> NDArray[np.float64]:
    """The same motion later; before its beginning the hand rests."""
    at = np.clip(np.arange(len(joints)) - frames, 0, None)
    return CubicSpline(np.arange(len(joints)), joints, axis=0)(at)


@pytest.mark.parametrize("delay", [-2.0, 0.0, 0.3, 2.5, 7.0])
def test_a_constructed_delay_is_measured(delay: float) -> None:
    truth = smooth_motion(0)
    assert lag_frames(delayed(truth, delay), truth) == pytest.approx(delay, abs=0.01)
    assert lag_frames(delayed(truth, delay)[..., :2], truth[..., :2]) == pytest.approx(delay, abs=0.01)


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), noise_mm=st.floats(0.1, 2.0))
def test_noise_gaps_and_a_wrong_scale_do_not_move_the_lag(seed: int, noise_mm: float) -> None:
    truth = smooth_motion(seed)
    rng = np.random.default_rng(seed)
    found = 1.1 * delayed(truth, 2.5) + rng.normal(0, noise_mm, truth.shape) + [30, 0, 80]
    found[50:70, :21] = np.nan
    found[120:160] = np.nan
    assert lag_frames(found, truth) == pytest.approx(2.5, abs=0.1)


def test_lag_needs_motion_and_hands() -> None:
    truth = smooth_motion(1)
    assert np.isnan(lag_frames(np.full_like(truth, np.nan), truth))
    assert np.isnan(lag_frames(truth, np.repeat(truth[:1], FRAMES, axis=0)))
    assert np.isnan(lag_frames(truth[:10], truth[:10]))


@pytest.mark.parametrize("sigma_mm", [0.3, 2.0])
def test_white_noise_gives_the_analytic_jitter(sigma_mm: float) -> None:
    """The second difference of noise has 1 + 4 + 1 times its variance; the mean length of a 3D normal is sqrt(8/pi)."""
    still = np.repeat(smooth_motion(2)[:1], FRAMES, axis=0)
    noisy = still + np.random.default_rng(0).normal(0, sigma_mm, still.shape)
    everything = np.ones((FRAMES - 2, 2), bool)
    assert jitter(noisy, everything) == pytest.approx(sigma_mm * np.sqrt(6 * 8 / np.pi), rel=0.01)
    assert jitter(still, everything) == 0
    assert np.isnan(jitter(noisy, ~everything))


def test_still_and_moving_hands_are_told_apart() -> None:
    """The right hand stands still and then moves at 300 mm/s, the left one creeps at 50: neither still nor moving."""
    joints = np.zeros((60, 42, 3))
    joints[30:, :21, 0] = 10.0 * np.arange(1, 31)[:, None]
    joints[:, 21:, 1] = (50 * STEP_S * np.arange(60))[:, None]
    still, moving = motion_classes(joints, STEP_S)
    assert still[:28, 0].all() and not still[28:].any()
    assert moving[29:, 0].all() and not moving[:29].any()
    assert not (still | moving)[:, 1].any()


def test_figures_take_truth_and_found_from_the_same_frames() -> None:
    truth = smooth_motion(3)
    truth[80:160] = truth[80]
    rng = np.random.default_rng(1)
    found = truth + rng.normal(0, 0.5, truth.shape)
    found[150:] = np.nan
    figures = temporal_figures(found, truth, found[..., :2], truth[..., :2], np.arange(FRAMES) * STEP_S)
    assert figures.jitter_still_truth == 0
    assert figures.jitter_still == pytest.approx(0.5 * np.sqrt(48 / np.pi), rel=0.02)
    assert figures.jitter_moving > figures.jitter_moving_truth > 0
    assert 0 < figures.still_frames <= 2 * 68
    assert figures.lag_ms == pytest.approx(figures.lag_frames * 1e3 / 30)


def hand_frames(truth: Truth, joints_mm: NDArray, noise_px: float) -> list[HandFrame]:
    """Joints as a pipeline gives them, shaken in the picture."""
    rng = np.random.default_rng(0)
    frames = []
    for i, joints in enumerate(joints_mm):
        hands = []
        for side in SIDES:
            own = joints[HAND_SLICES[side]]
            x = truth.intrinsics.fx * own[:, 0] / own[:, 2] + truth.intrinsics.cx
            y = truth.intrinsics.fy * own[:, 1] / own[:, 2] + truth.intrinsics.cy
            px = np.stack([x, y], axis=1) + rng.normal(0, noise_px, (21, 2))
            cam = backproject(px, own[:, 2] + rng.normal(0, 3 * noise_px, 21), truth.intrinsics)
            hands.append(
                HandPose(side, cam.astype(np.float32), px.astype(np.float32), np.ones(21, np.float32), 1.0, "rootnet")
            )
        frames.append(
            HandFrame(i, float(truth.t_s[i]), tuple(hands), truth.intrinsics, (640, 480), (Crop((0, 0), 1, 0),))
        )
    return frames


@pytest.fixture(scope="module")
def truth() -> Truth:
    return load_truth(SAMPLE.with_suffix(".npz"))


def test_the_truth_itself_is_perfect(truth: Truth) -> None:
    frames = hand_frames(truth, truth.joints_cam_mm, 0.0)
    figures, motion = compare(frames, truth), compare_motion(frames, truth)
    assert figures.both_tracked == 1
    assert figures.exchanged_frames == 0
    assert figures.root_relative_mm < 0.01
    assert figures.jitter_mm_per_frame2 < 0.01
    assert motion.lag_frames == pytest.approx(0, abs=0.01)
    assert motion.jitter_moving == pytest.approx(motion.jitter_moving_truth, rel=0.01)


def test_smoothing_trades_jitter_for_lag(truth: Truth) -> None:
    raw = hand_frames(truth, truth.joints_cam_mm, 1.0)
    way = smoothed(raw, load_settings())
    before, after = compare_motion(raw, truth), compare_motion(way, truth)
    assert after.jitter_still < 0.5 * before.jitter_still
    assert after.jitter_moving < before.jitter_moving
    assert abs(before.lag_frames) < 0.1
    assert 0.1 < after.lag_picture_frames < 3
    late = hand_frames(truth, delayed(truth.joints_cam_mm.astype(float), 2.5), 0.0)
    assert compare_motion(late, truth).lag_frames == pytest.approx(2.5, abs=0.05)


def test_exchanged_hands_are_counted(truth: Truth) -> None:
    frames = hand_frames(truth, truth.joints_cam_mm, 0.0)
    both = np.flatnonzero(truth.fully_in_view.all(axis=1))[10]
    right, left = frames[both].hands
    frames[both] = replace(frames[both], hands=(replace(left, side="right"), replace(right, side="left")))
    assert compare(frames, truth).exchanged_frames == 1


def test_means_leave_out_what_a_clip_cannot_tell() -> None:
    clips = [{"raw": {"frames": 3, "lag": 1.0}}, {"raw": {"frames": 4, "lag": float("nan")}}]
    assert mean_of(clips) == {"raw": {"frames": 7, "lag": 1.0}}


def test_wrong_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--clip", str(tmp_path / "none.mp4")]) == 2
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(UserError, match="no ground truth"):
        load_truth(tmp_path / "broken.npz")
    with pytest.raises(UserError, match=r"no \.mp4"):
        clips_of(tmp_path)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_of_clips_gives_figures_of_each_and_their_mean(tmp_path: Path) -> None:
    for name in ("a", "b"):
        cut(tmp_path / f"{name}.mp4", 0, JUDGED)
        (tmp_path / f"{name}.npz").symlink_to(SAMPLE.with_suffix(".npz"))
    assert [clip.stem for clip in clips_of(tmp_path)] == ["a", "b"]
    (tmp_path / "b.npz").unlink()
    assert main(["--clip", str(tmp_path), "--json", str(tmp_path / "figures.json")]) == 0
    content = json.loads((tmp_path / "figures.json").read_text())
    raw, smooth = content["clips"]["a"]["raw"], content["clips"]["a"]["smoothed"]
    assert raw["both_tracked"] == smooth["both_tracked"] > 0.8
    assert smooth["jitter_still"] < 0.5 * raw["jitter_still"]
    assert smooth["lag_picture_ms"] > raw["lag_picture_ms"]
    assert content["mean"]["smoothed"]["frames"] == JUDGED

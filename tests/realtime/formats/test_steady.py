"""Tracks at a steady rate: what the recording said, at times in between, however its stamps stray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.errors import UserError
from realtime.formats.steady import USUAL_STEP_S, at_steady_rate, usual_step_s, with_short_pauses
from realtime.rotations.quaternions import angle_deg
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import rotations_of
from tests.support.track_files import tracks_of


def test_rotations_of_straying_stamps_are_those_that_were_told_not_made_anew_from_the_joints() -> None:
    """A frame's doubtful joints had their rotations replaced by what the bare joints say: up to 100 degrees away."""
    tracks = tracks_of(["rl"] * 60)
    told = np.roll(tracks.joint_rotations, 7, axis=1)  # rotations that do not follow from the joints
    stray = tracks.t_s + np.random.default_rng(0).uniform(-0.003, 0.003, 60)
    stray[0] = 0.0
    _, steady = at_steady_rate(replace(tracks, t_s=stray, joint_rotations=told))
    nearest = told[steady.frame_index - tracks.frame_index[0]]
    assert angle_deg(steady.joint_rotations, nearest).max() < 3
    assert angle_deg(steady.joint_rotations, rotations_of(steady.joints_cam_mm)).max() > 20
    np.testing.assert_allclose(np.linalg.norm(steady.joint_rotations, axis=-1), 1.0, atol=1.0e-5)


def test_a_hand_that_is_there_in_one_neighbour_only_keeps_that_ones_rotations() -> None:
    tracks = tracks_of(["rl", "r", "rl", "rl"])
    _, steady = at_steady_rate(replace(tracks, t_s=np.array([0.0, 0.034, 0.066, 0.1])), 1 / 30)
    assert np.isnan(steady.joint_rotations[:, 21:]).all((1, 2)).tolist() == [False, True, False, False]
    assert not np.isnan(steady.joint_rotations[:, :21]).any()


@pytest.mark.parametrize("frames", [14, 20, 24, 300])
@pytest.mark.parametrize("pause_s", [1.0, 10.0, 3600.0])
def test_one_pause_does_not_change_the_rate(frames: int, pause_s: float) -> None:
    """Of 20 frames at 30 Hz with a pause of an hour nine were left, at 0.002 Hz."""
    t_s = np.arange(frames) / 30
    t_s[frames // 2 :] += pause_s
    assert usual_step_s(t_s) == pytest.approx(1 / 30)
    assert with_short_pauses(t_s)[-1] <= frames / 30 + 2


@pytest.mark.parametrize("burst", [2, 4, 8])
def test_frames_in_bursts_have_their_mean_rate(burst: int) -> None:
    t_s = np.arange(200) // burst * burst / 30 + np.arange(200) % burst * 1.0e-4
    assert usual_step_s(t_s) == pytest.approx(1 / 30, rel=0.05)


def test_stamps_that_all_say_the_same_have_the_usual_rate() -> None:
    tracks = tracks_of(["rl"] * 5)
    step_s, steady = at_steady_rate(replace(tracks, t_s=np.full(5, 3.0)))
    assert step_s == USUAL_STEP_S
    assert len(steady) >= 1


def test_times_that_run_back_are_told_where_they_are_read(tmp_path: Path) -> None:
    tracks = tracks_of(["rl"] * 5)
    fields = {name: np.asarray(value) for name, value in vars(tracks).items()}
    np.savez(tmp_path / "back.npz", format="two-hands-tracks 2", **{**fields, "t_s": tracks.t_s[::-1]})
    with pytest.raises(UserError, match=r"back\.npz.*t_s runs back"):
        load_tracks(tmp_path / "back.npz")

"""The sample clip that ships, its ground truth, and the command's way to write one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import BONES
from training.synth.clip import write_video
from training.synth.story.scene import HEIGHT, RATE_HZ, WIDTH

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    with np.load(SAMPLES / "two_hands.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def test_clip_and_ground_truth_belong_together(truth: dict[str, np.ndarray]) -> None:
    with av.open(str(SAMPLES / "two_hands.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == Fraction(RATE_HZ)
        times = []
        for frame in container.decode(stream):
            assert (frame.width, frame.height) == tuple(truth["size_px"]) == (WIDTH, HEIGHT)
            times.append(frame.time)
    np.testing.assert_allclose(times, truth["t_s"], atol=1e-4)
    assert 8 <= len(times) / RATE_HZ <= 12


def test_clip_is_small() -> None:
    assert (SAMPLES / "two_hands.mp4").stat().st_size < 3_000_000
    assert (SAMPLES / "two_hands.npz").stat().st_size < 500_000


def test_ground_truth_has_its_documented_form(truth: dict[str, np.ndarray]) -> None:
    count = len(truth["t_s"])
    forms = {name: (value.shape, value.dtype) for name, value in truth.items()}
    assert forms["joints_cam_mm"] == ((count, 42, 3), np.float32)
    assert forms["joints_px"] == ((count, 42, 2), np.float32)
    assert forms["hand_present"] == forms["fully_in_view"] == ((count, 2), bool)
    assert forms["interacting"] == ((count,), bool)
    assert forms["intrinsics_px"][0] == (4,)


def test_pixels_are_the_projection_of_the_joints(truth: dict[str, np.ndarray]) -> None:
    intrinsics = Intrinsics(*truth["intrinsics_px"])
    np.testing.assert_allclose(truth["joints_px"], project(truth["joints_cam_mm"], intrinsics), atol=0.01)
    view_deg = np.degrees(2 * np.arctan(truth["size_px"][0] / 2 / intrinsics.fx))
    assert view_deg == pytest.approx(60, abs=1)


def test_flags_follow_from_the_joints(truth: dict[str, np.ndarray]) -> None:
    inside = np.all((truth["joints_px"] > -0.5) & (truth["joints_px"] < truth["size_px"] - 0.5), axis=2)
    full = np.stack([inside[:, :21].all(axis=1), inside[:, 21:].all(axis=1)], axis=1)
    np.testing.assert_array_equal(truth["fully_in_view"], full)
    assert np.all(truth["hand_present"] | ~full)
    assert np.all(truth["hand_present"].all(axis=1) | ~truth["interacting"])


def test_story_shows_what_it_should(truth: dict[str, np.ndarray]) -> None:
    assert not truth["hand_present"][:10].any(), "it begins empty"
    assert not truth["hand_present"][-1].all(), "the hands leave"
    assert truth["fully_in_view"].all(axis=1).mean() > 0.6
    assert 0.05 < truth["interacting"].mean() < 0.4
    depth = truth["joints_cam_mm"][..., 2][truth["fully_in_view"].all(axis=1)]
    assert depth.min() > 350 and depth.max() < 800
    assert np.ptp(depth) > 150


def test_bones_keep_their_length(truth: dict[str, np.ndarray]) -> None:
    child, parent = np.array(BONES).T
    for hand in (slice(0, 21), slice(21, 42)):
        joints = truth["joints_cam_mm"][:, hand]
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=2)
        assert np.ptp(length, axis=0).max() < 0.05


def test_hands_are_seen_where_the_joints_are(truth: dict[str, np.ndarray]) -> None:
    """Against the empty first frame, the picture has changed at the joints."""
    looked_at = {*np.flatnonzero(truth["fully_in_view"].all(axis=1))[::10].tolist()}
    seen = []
    with av.open(str(SAMPLES / "two_hands.mp4")) as container:
        frames = enumerate(container.decode(video=0))
        empty = next(frames)[1].to_ndarray(format="rgb24").astype(int)
        for index, frame in frames:
            if index in looked_at:
                x, y = np.round(truth["joints_px"][index]).astype(int).T
                seen.append(np.abs(frame.to_ndarray(format="rgb24")[y, x] - empty[y, x]).max(axis=1) > 20)
    assert len(seen) == len(looked_at)
    assert np.mean(seen) > 0.9


def test_write_video_keeps_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    grey = (np.full((HEIGHT, WIDTH, 3), 40 * k, np.uint8) for k in range(5))
    assert write_video(path, grey) == 5
    with av.open(str(path)) as container:
        means = [f.to_ndarray(format="rgb24").mean() for f in container.decode(video=0)]
    np.testing.assert_allclose(means, [0, 40, 80, 120, 160], atol=6)


def test_unwritable_output_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write") as caught:
        write_video(tmp_path / "missing" / "clip.mp4", iter(()))
    assert "\n" not in str(caught.value)

"""MCAP files, read by ROS 2's decoder, which builds its messages from the definitions in the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import run_demo
from engines.errors import UserError
from engines.geometry.distortion import LENS_MODELS
from engines.skeleton import SIDES, WRIST_FIRST
from realtime.formats.saving import save_as
from realtime.live import Result
from realtime.messages import Frame
from realtime.sources.recording import VideoSource
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks
from tests.support.track_files import tracks_of
from tests.support.video_files import encode

pytest.importorskip("mcap_ros2", reason="needs the extra formats")
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from realtime.formats.robots.mcap_file import McapSink

ROOT = Path(__file__).parents[3]
PRESENT = ["rl", "", "r", "rl", "l"]


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    found = tracks_of(PRESENT)
    sigma = np.where(found.root_depth_from > 0, 12.0, np.nan).astype(np.float32)
    return replace(found, root_depth_sigma_mm=sigma)


def read(path: Path) -> dict[str, list[Any]]:
    """Messages of each topic, in order."""
    found: dict[str, list[Any]] = {}
    with path.open("rb") as file:
        for one in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
            found.setdefault(one.channel.topic, []).append(one)
    return found


def result(tracks: Tracks, i: int) -> Result:
    hands = tracks.hand_frame(i)
    return Result(Frame(i, hands.t_capture_s, np.zeros((1, 1, 3), np.uint8)), hands, hands.t_capture_s, 0.0, 0.0)


def xyz(of: Any) -> list[float]:
    return [of.x, of.y, of.z]


def quaternion(of: Any) -> list[float]:
    return [of.x, of.y, of.z, of.w]


def matches(found: dict[str, list[Any]], tracks: Tracks) -> None:
    for h, side in enumerate(SIDES):
        rows = [21 * h + j for j in WRIST_FIRST]
        for i, message in enumerate(found[f"/hands/{side}/joints"]):
            stamp = message.decoded_message.header.stamp
            assert stamp.sec + stamp.nanosec * 1e-9 == pytest.approx(tracks.t_s[i], abs=1e-8)
            assert message.message.log_time == stamp.sec * 10**9 + stamp.nanosec
            poses = message.decoded_message.poses
            assert len(poses) == (21 if tracks.root_depth_from[i, h] else 0)
            if poses:
                places = [xyz(pose.position) for pose in poses]
                np.testing.assert_allclose(places, tracks.joints_cam_mm[i, rows] / 1000, rtol=1e-6)
                turns = [quaternion(pose.orientation) for pose in poses]
                np.testing.assert_allclose(turns, tracks.joint_rotations[i, rows], atol=1e-6)
    for i, message in enumerate(found["/tf"]):
        frames = {one.child_frame_id: one for one in message.decoded_message.transforms}
        there = [f"{side}_wrist" for h, side in enumerate(SIDES) if tracks.root_depth_from[i, h]]
        assert set(frames) == {"openxr_view", *there}
        assert quaternion(frames.pop("openxr_view").transform.rotation) == [1, 0, 0, 0]
        for name, one in frames.items():
            wrist = tracks.joints_cam_mm[i, 20 if name == "right_wrist" else 41]
            np.testing.assert_allclose(xyz(one.transform.translation), wrist / 1000, rtol=1e-6)


def test_openxrs_joints_in_the_view_are_ours_in_the_camera(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.mcap")
    found = read(tmp_path / "t.mcap")
    turn = Rotation.from_quat((1, 0, 0, 0))
    for i, message in enumerate(found["/hands/left/openxr"]):
        assert message.decoded_message.header.frame_id == "openxr_view"
        poses = message.decoded_message.poses
        assert len(poses) == (26 if "l" in PRESENT[i] else 0)
        for pose, joint in (
            zip([poses[1], poses[10]], (41, 25), strict=True) if poses else ()
        ):  # wrist, tip of the index
            np.testing.assert_allclose(turn.apply(xyz(pose.position)), tracks.joints_cam_mm[i, joint] / 1000, rtol=1e-6)
            same = turn * Rotation.from_quat(quaternion(pose.orientation))
            assert (same.inv() * Rotation.from_quat(tracks.joint_rotations[i, joint])).magnitude() < 1e-5


def test_a_track_file(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.mcap")
    found = read(tmp_path / "t.mcap")
    kinds = {topic: messages[0].schema.name for topic, messages in found.items()}
    assert kinds["/hands/right/joints"] == "geometry_msgs/msg/PoseArray"
    assert kinds["/tf"] == "tf2_msgs/msg/TFMessage"
    matches(found, tracks)
    counts = Counter({topic: len(messages) for topic, messages in found.items()})
    assert counts["/camera_info"] == len(tracks)
    camera = found["/camera_info"][0].decoded_message
    assert [camera.k[i] for i in (0, 4, 2, 5)] == tracks.intrinsics_px.tolist()
    assert (camera.width, camera.height, camera.distortion_model) == (*tracks.size_px, "plumb_bob")


@pytest.mark.skipif(not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights")
def test_a_run_writes_what_its_track_file_says(tmp_path: Path) -> None:
    """`--mcap`, through the whole program: ten frames of the sample clip in which both hands gesture."""
    with VideoSource(ROOT / "samples" / "two_hands.mp4") as source:
        images = [frame.image_bgr for frame in islice(source, 60, 70)]
    video = encode(tmp_path / "v.mp4", images, [33 * i for i in range(len(images))])
    out = {"--mcap": tmp_path / "t.mcap", "--save-tracks": tmp_path / "t.npz"}
    run = ["--video", video, "--headless", "--no-3d", *(word for pair in out.items() for word in pair)]
    assert run_demo.main([str(word) for word in run]) == 0
    tracks, found = load_tracks(out["--save-tracks"]), read(out["--mcap"])
    assert len(tracks) == len(found["/tf"]) == len(found["/hands/left/joints"]) == len(images)
    assert (tracks.root_depth_from > 0).sum() > len(images)  # both hands, most of the time
    matches(found, tracks)


def test_the_wrists_covariance_lies_along_the_line_of_sight(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.mcap")
    message = read(tmp_path / "t.mcap")["/hands/right/wrist"][0].decoded_message
    covariance = np.reshape(message.pose.covariance, (6, 6))
    assert np.sqrt(covariance[2, 2]) == pytest.approx(0.012)
    values, vectors = np.linalg.eigh(covariance[:3, :3])
    sight = tracks.joints_cam_mm[0, 20] / np.linalg.norm(tracks.joints_cam_mm[0, 20])
    assert abs(vectors[:, 2] @ sight) == pytest.approx(1.0, abs=1e-6)
    assert values[:2] == pytest.approx(0.0, abs=1e-9)


def test_what_is_known_of_the_depth(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.mcap")
    for i, message in enumerate(read(tmp_path / "t.mcap")["/hands/status"]):
        assert len(message.decoded_message.status) == len(PRESENT[i])
        for status in message.decoded_message.status:
            values = {pair.key: pair.value for pair in status.values}
            h = SIDES.index(status.name.removesuffix("_hand"))
            assert values["root_depth_from"] == ROOT_DEPTH_NAMES[tracks.root_depth_from[i, h]]
            assert float(values["root_depth_sigma_mm"]) == pytest.approx(12.0)
            confidence = [float(value) for value in values["joint_confidence"].split()]
            rows = [21 * h + j for j in WRIST_FIRST]
            np.testing.assert_allclose(confidence, tracks.joint_confidence[i, rows], atol=1e-4)


def test_a_fisheye_lens(tracks: Tracks, tmp_path: Path) -> None:
    lens = np.zeros(14)
    lens[:4] = 0.1, 0.02, 0.003, 0.0004
    fisheye = replace(tracks, distortion=lens, lens_model=np.array(LENS_MODELS.index("fisheye"), np.uint8))
    save_as(fisheye, tmp_path / "t.mcap")
    camera = read(tmp_path / "t.mcap")["/camera_info"][0].decoded_message
    assert (camera.distortion_model, list(camera.d)) == ("equidistant", lens[:4].tolist())


def test_live_to_a_file(tracks: Tracks, tmp_path: Path) -> None:
    sink = McapSink(tmp_path / "live/t.mcap")
    for i in range(len(tracks)):
        sink.take(result(tracks, i))
    sink.close()
    sink.close()
    matches(read(tmp_path / "live/t.mcap"), tracks)


def test_a_full_disk_is_one_line(tracks: Tracks) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    sink = McapSink(Path("/dev/full"))
    with pytest.raises(UserError, match="/dev/full: cannot be written"):
        for i in range(2000):
            sink.take(result(tracks, i % len(tracks)))
        sink.close()
    sink.close()

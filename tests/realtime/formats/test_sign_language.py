"""`.pose` read by pose-format, `.eaf` read by pympi."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.skeleton import WRIST_FIRST
from realtime.formats.__main__ import main
from realtime.formats.saving import save_as
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks
from tests.support.track_files import tracks_of
from tests.support.video_files import steady, write_video

PRESENT = ["rl", "", "r", "rl", "l", "rl", "rl", ""]


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return tracks_of(PRESENT)


def test_pose(tracks: Tracks, tmp_path: Path) -> None:
    package = pytest.importorskip("pose_format", reason="needs the extra formats")
    generic = pytest.importorskip("pose_format.utils.generic")
    save_as(tracks, tmp_path / "t.pose")
    pose = package.Pose.read((tmp_path / "t.pose").read_bytes())
    assert generic.detect_known_pose_format(pose) == "holistic"
    assert (pose.header.dimensions.width, pose.header.dimensions.height) == tuple(tracks.size_px)
    assert pose.body.fps == pytest.approx(30)
    for h, side in enumerate(("RIGHT", "LEFT")):
        rows = [21 * h + j for j in WRIST_FIRST]
        there = np.array([side[0].lower() in sides for sides in PRESENT])
        hand = pose.get_components([f"{side}_HAND_LANDMARKS"])
        found = np.asarray(hand.body.data.filled(0))[:, 0]
        np.testing.assert_allclose(found[there, :, :2], tracks.joints_px[there][:, rows], atol=1e-2)
        assert np.abs(found[there, 0, 2]).max() == 0  # the wrist is the origin of depth
        world = np.asarray(pose.get_components([f"{side}_HAND_WORLD_LANDMARKS"]).body.data.filled(0))[:, 0]
        np.testing.assert_allclose(world[there], tracks.joints_cam_mm[there][:, rows], atol=1e-2)
        confidence = np.asarray(hand.body.confidence)[:, 0]
        np.testing.assert_allclose(confidence[there], tracks.joint_confidence[there][:, rows], atol=1e-3)
        assert (confidence[~there] == 0).all()


def test_pose_names_are_mediapipes(tracks: Tracks, tmp_path: Path) -> None:
    package = pytest.importorskip("pose_format", reason="needs the extra formats")
    holistic = pytest.importorskip("pose_format.utils.holistic", reason="needs MediaPipe")
    save_as(tracks, tmp_path / "t.pose")
    pose = package.Pose.read((tmp_path / "t.pose").read_bytes())
    theirs = {part.name: part for part in holistic.holistic_components("XYZC")}
    for part in pose.header.components[:2]:
        assert part.points == list(theirs[part.name].points)


def test_eaf(tracks: Tracks, tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan", reason="needs the extra test")
    filled = tracks.root_depth_from.copy()
    filled[3, 0] = ROOT_DEPTH_NAMES.index("filled")
    save_as(tracks, tmp_path / "t.npz")
    write_video(tmp_path / "clip.mp4", steady(3), (64, 48))
    save_as(replace(tracks, root_depth_from=filled), tmp_path / "t.eaf", tmp_path / "clip.mp4")
    eaf = elan.Eaf(str(tmp_path / "t.eaf"))
    (media,) = eaf.get_linked_files()
    assert media["MEDIA_URL"] == (tmp_path / "clip.mp4").as_uri()
    assert (media["MIME_TYPE"], media["RELATIVE_MEDIA_URL"]) == ("video/mp4", "./clip.mp4")
    frames = {name: frames_of(eaf, name) for name in eaf.get_tier_names()}
    assert frames["right hand"] == [(0, 1), (2, 3), (3, 4), (5, 7)]
    assert frames["right gaps"] == [(1, 2), (4, 5), (7, 8)]
    assert frames["left hand"] == [(0, 1), (3, 7)]
    texts = [text for *_, text in eaf.get_annotation_data_for_tier("right hand")]
    assert texts[2] == "filled"
    assert texts[0].startswith("confidence 0.95, depth from rootnet")


def test_a_hand_of_which_no_confidence_is_known(tracks: Tracks, tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    unknown = np.full_like(tracks.joint_confidence, np.nan)
    save_as(replace(tracks, joint_confidence=unknown), tmp_path / "t.eaf", None)
    texts = elan.Eaf(str(tmp_path / "t.eaf")).get_annotation_data_for_tier("right hand")
    assert texts
    assert all(text.startswith("confidence unknown, depth") for *_, text in texts)


def frames_of(eaf: object, tier: str) -> list[tuple[int, int]]:
    data = sorted(eaf.get_annotation_data_for_tier(tier))  # type: ignore[attr-defined]
    return [(round(start * 0.03), round(end * 0.03)) for start, end, *_ in data]


def test_the_converter_links_the_video(tracks: Tracks, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_as(tracks, tmp_path / "t.npz")
    words = [str(tmp_path / "t.npz"), str(tmp_path / "t.eaf"), "--video"]
    assert main([*words, str(tmp_path / "none.mp4")]) == 2
    assert "none.mp4" in capsys.readouterr().err
    write_video(tmp_path / "clip.mp4", steady(3), (64, 48))
    assert main([*words, str(tmp_path / "clip.mp4")]) == 0
    assert 'RELATIVE_MEDIA_URL="./clip.mp4"' in (tmp_path / "t.eaf").read_text()

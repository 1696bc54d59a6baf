"""LeRobot's data set, read by a parser of its own, and by the package where it is installed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.errors import UserError
from engines.skeleton import SIDES, WRIST_FIRST
from realtime.formats.__main__ import main
from realtime.formats.saving import save_as, save_together
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks
from tests.support.other_python import run_with
from tests.support.track_files import tracks_of
from tests.support.video_files import encode, steady

pytest.importorskip("pyarrow", reason="needs the extra formats")

from tests.support.lerobot_parser import DataSet, read_data_set

PRESENT = ["rl", "", "r", "rl", "l", "rl", "rl", ""]
ROWS = [21 * h + j for h in range(2) for j in WRIST_FIRST]
VIDEO = "observation.images.camera"


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return replace(tracks_of(PRESENT), size_px=np.array((64, 48), np.int32))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frame i is grey, 20 i + 30."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    pictures = [np.full((48, 64, 3), 20 * i + 30, np.uint8) for i in range(len(PRESENT))]
    return encode(path, pictures, steady(len(PRESENT)))


def matches(found: DataSet, tracks: Tracks, first: int = 0) -> None:
    """The frames from `first` on hold what the tracks do, absent hands as zeros."""
    of = {name: values[first : first + len(tracks)] for name, values in found.frames.items()}
    expected = {
        "observation.hands.joints": tracks.joints_cam_mm[:, ROWS] / 1000,
        "observation.hands.rotations": tracks.joint_rotations[:, ROWS],
        "observation.hands.joints_px": tracks.joints_px[:, ROWS],
        "observation.hands.confidence": tracks.joint_confidence[:, ROWS],
        "observation.hands.depth_sigma": tracks.root_depth_sigma_mm / 1000,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(of[name], np.nan_to_num(values).reshape(len(tracks), -1), rtol=1e-6, err_msg=name)
    np.testing.assert_array_equal(of["observation.hands.valid"], tracks.root_depth_from > 0)
    np.testing.assert_array_equal(of["observation.hands.depth_from"], tracks.root_depth_from)
    wrists = np.concatenate([tracks.joints_cam_mm[:, [20, 41]] / 1000, tracks.joint_rotations[:, [20, 41]]], axis=-1)
    np.testing.assert_allclose(of["observation.state"], np.nan_to_num(wrists).reshape(-1, 14), rtol=1e-6)
    np.testing.assert_allclose(of["timestamp"], np.arange(len(tracks)) / found.info["fps"], atol=1e-6)
    assert of["frame_index"].tolist() == list(range(len(tracks)))


def test_one_recording(tracks: Tracks, clip: Path, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.lerobot", clip)
    found = read_data_set(tmp_path / "t.lerobot")
    matches(found, tracks)
    features = found.info["features"]
    assert (found.info["fps"], found.info["total_frames"], found.info["total_episodes"]) == (30, len(tracks), 1)
    assert set(features) == {*found.frames, VIDEO}
    assert all(
        feature["shape"] == [len(feature["names"] or "1")] for name, feature in features.items() if name != VIDEO
    )
    names = features["observation.hands.joints"]["names"]
    assert names[:4] == ["right_wrist_x_m", "right_wrist_y_m", "right_wrist_z_m", "right_thumb1_x_m"]
    assert list(features["observation.hands.depth_from"]["info"]["codes"].values()) == list(ROOT_DEPTH_NAMES)
    camera = dict(zip(features["observation.camera"]["names"], found.frames["observation.camera"][0], strict=True))
    assert [camera[name] for name in ("fx_px", "fy_px", "cx_px", "cy_px")] == tracks.intrinsics_px.tolist()
    assert [camera[name] for name in ("width_px", "height_px")] == [64, 48]
    pictures = found.pictures(VIDEO, 0)
    assert [round(time_s * 30) for time_s, _ in pictures] == list(range(len(tracks)))
    np.testing.assert_allclose([picture.mean() for _, picture in pictures], [20 * i + 30 for i in range(8)], atol=6)
    mean = np.array(found.stats[VIDEO]["mean"])
    assert mean.shape == (3, 1, 1)
    assert mean.mean() == pytest.approx(100 / 255, abs=0.03)


def test_statistics_count_what_was_seen(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.lerobot")
    found = read_data_set(tmp_path / "t.lerobot")
    assert VIDEO not in found.info["features"]
    assert found.info["video_path"] is None
    seen = tracks.joints_cam_mm[:, 20] / 1000
    of = found.stats["observation.state"]
    for key, function in (("min", np.nanmin), ("max", np.nanmax), ("mean", np.nanmean), ("std", np.nanstd)):
        np.testing.assert_allclose(of[key][:3], function(seen, axis=0), rtol=1e-4, atol=1e-6)
    assert of["count"] == [len(tracks)]


def test_a_folder_of_recordings_is_one_data_set(
    tracks: Tracks, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An episode for each track file, with the recording of the same name."""
    other = replace(tracks_of(["rl"] * 5), size_px=tracks.size_px)
    videos = tmp_path / "videos"
    videos.mkdir()
    for name, of in (("b", other), ("a", tracks)):
        save_as(of, tmp_path / f"tracks/{name}.npz")
        (videos / f"{name}.mp4").write_bytes(clip.read_bytes())
    words = [str(tmp_path / "tracks"), str(tmp_path / "all.lerobot"), "--video", str(videos)]
    assert main(words) == 0
    found = read_data_set(tmp_path / "all.lerobot")
    assert [row["length"] for row in found.episodes] == [len(tracks), 5]
    assert found.frames["index"].tolist() == list(range(len(tracks) + 5))
    matches(found, tracks)
    matches(found, other, len(tracks))
    assert len(found.pictures(VIDEO, 1)) == 5
    (videos / "b.mp4").unlink()
    assert main([words[0], str(tmp_path / "more.lerobot"), *words[2:]]) == 2
    assert "b.npz" in capsys.readouterr().err


def test_another_recording_is_refused(tracks: Tracks, tmp_path: Path) -> None:
    encode(tmp_path / "other.mp4", [np.zeros((32, 32, 3), np.uint8)] * 3, steady(3))
    with pytest.raises(UserError, match="other pictures"):
        save_as(tracks, tmp_path / "t.lerobot", tmp_path / "other.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["other.mp4"]


def test_uneven_times(tracks: Tracks, tmp_path: Path) -> None:
    """Frames that were dropped appear in between: the data set's rate is steady."""
    keep = [0, 1, 2, 5, 6, 7]
    fields = {name: getattr(tracks, name)[keep] for name in ("t_s", "frame_index", "dropped", "crops_px")}
    for name in vars(tracks):
        if name.startswith(("joint", "hand_", "root_")):
            fields[name] = getattr(tracks, name)[keep]
    save_as(replace(tracks, **fields), tmp_path / "t.lerobot")
    found = read_data_set(tmp_path / "t.lerobot")
    assert found.info["total_frames"] == len(tracks)
    assert found.frames["observation.frame_index"].tolist() == [0, 1, 2, 2, 5, 5, 6, 7]


READ_BY_PACKAGE = """
import json, sys
from lerobot.datasets.lerobot_dataset import LeRobotDataset
read = LeRobotDataset("local/hands", root=sys.argv[1], video_backend="pyav")
names = ("observation.hands.joints", "observation.hands.valid", "timestamp")
rows = [{name: item[name].tolist() for name in names} | {"shape": list(item[sys.argv[2]].shape),
         "grey": float(item[sys.argv[2]].mean()), "task": item["task"]} for item in (read[i] for i in range(len(read)))]
print(json.dumps({"fps": read.fps, "episodes": read.num_episodes, "rows": rows}))
"""


def test_the_package_reads_it(tracks: Tracks, clip: Path, tmp_path: Path) -> None:
    save_together([(tracks, clip), (tracks, clip)], tmp_path / "t.lerobot")
    printed = run_with("lerobot", "-c", READ_BY_PACKAGE, str(tmp_path / "t.lerobot"), VIDEO)
    read = json.loads(printed.splitlines()[-1])
    assert (read["fps"], read["episodes"], len(read["rows"])) == (30, 2, 2 * len(tracks))
    for n, row in enumerate(read["rows"]):
        i = n % len(tracks)
        expected = np.nan_to_num(tracks.joints_cam_mm[i, ROWS] / 1000).ravel()
        np.testing.assert_allclose(row["observation.hands.joints"], expected, rtol=1e-5)
        assert row["observation.hands.valid"] == [side[0] in PRESENT[i] for side in SIDES]
        assert row["timestamp"] == pytest.approx(i / 30, abs=1e-5)
        assert row["shape"] == [3, 48, 64]
        assert row["grey"] == pytest.approx((20 * i + 30) / 255, abs=0.03)

"""Marker files and OpenPose's, read by the packages of those who use them, or by parsers of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, WRIST_FIRST
from realtime.formats.__main__ import main
from realtime.formats.biomechanics.markers import MARKERS, markers_mm
from realtime.formats.saving import save_as
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks
from tests.support.other_python import python_with, run_with
from tests.support.track_files import tracks_of
from training.annotation.cameras.camera import Camera
from training.annotation.cameras.files import save_cameras
from training.annotation.cameras.toml_text import read_toml

SKELETON = Path(__file__).parents[3] / "docs/pose2sim_hands.toml"
PRESENT = ["rl", "", "r", "rl", "l", "rl", "rl", ""]


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return tracks_of(PRESENT)


def in_camera(places_mm: NDArray) -> NDArray[np.float64]:
    """OpenSim's x forward, y up, z right of a person before the camera, in the camera's x right, y down, z forward."""
    x, y, z = np.moveaxis(np.asarray(places_mm, float), -1, 0)
    return np.stack([-z, -y, -x], axis=-1)


def joints_by_marker(tracks: Tracks) -> NDArray[np.float32]:
    return tracks.joints_cam_mm[:, [21 * h + j for h in range(2) for j in WRIST_FIRST]]


def test_markers_are_opensims(tracks: Tracks) -> None:
    assert MARKERS[:6] == ("RWrist", "RThumb1", "RThumb2", "RThumb3", "RThumb4", "RIndex1")
    assert MARKERS[-1] == "LPinky4"
    places = markers_mm(tracks)[0]
    fingers, wrist = places[MARKERS.index("RMiddle4")], places[MARKERS.index("RWrist")]
    assert fingers[1] - wrist[1] > 50  # these hands point up
    assert (
        places[MARKERS.index("RWrist")][2] > places[MARKERS.index("LWrist")][2]
    )  # a person's right hand, to the right
    np.testing.assert_allclose(in_camera(markers_mm(tracks)), joints_by_marker(tracks), atol=1e-9)


def test_trc(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.trc")
    lines = (tmp_path / "t.trc").read_text().split("\n")
    names, values = lines[1].split("\t"), lines[2].split("\t")
    head = dict(zip(names, values, strict=True))
    assert (head["Units"], head["NumFrames"], head["NumMarkers"]) == ("mm", "8", "42")
    assert float(head["DataRate"]) == pytest.approx(30)
    assert lines[3].rstrip("\t").split("\t")[2::3] == list(MARKERS)
    assert {len(line.split("\t")) for line in (lines[3], lines[4])} == {2 + 3 * 42 + 1}
    assert lines[5] == ""
    for i, line in enumerate(lines[6:-1]):
        number, time, *cells = line.split("\t")
        assert (int(number), float(time)) == (i + 1, pytest.approx(i / 30, abs=1e-6))
        found = np.array([np.nan if cell == "" else float(cell) for cell in cells]).reshape(42, 3)
        np.testing.assert_allclose(in_camera(found), joints_by_marker(tracks)[i], atol=1e-3)


def test_trc_as_pose2sim_converts_it(tracks: Tracks, tmp_path: Path) -> None:
    """`extract_trc_data` of Pose2Sim 0.10: NumPy, and no cell may be left over; OpenSim wants none to be empty last."""
    save_as(tracks, tmp_path / "t.trc")
    rows = np.genfromtxt(tmp_path / "t.trc", skip_header=5, delimiter="\t")[:, 1:]
    np.testing.assert_allclose(in_camera(rows[:, 1:].reshape(-1, 42, 3)), joints_by_marker(tracks), atol=1e-3)
    assert not any(line.endswith("\t") for line in (tmp_path / "t.trc").read_text().split("\n")[6:])


def test_pose2sims_folder_and_skeleton(tracks: Tracks, tmp_path: Path) -> None:
    """It reads `pose_keypoints_2d` alone; the skeleton that docs/formats.md names says which point is which marker."""
    save_as(tracks, tmp_path / "cam1.pose2sim_json")
    hands = read_toml(SKELETON)["pose"]["HANDS_42"]
    found = {}
    for node in (nodes := list(hands["children"])):
        nodes += node.get("children", [])
        found[node["id"]] = node["name"]
    assert [found[i] for i in range(42)] == list(MARKERS)
    for i, file in enumerate(sorted((tmp_path / "cam1.pose2sim_json").iterdir())):
        assert int(file.stem.split("_")[1]) == tracks.frame_index[i]
        people = json.loads(file.read_text())["people"]
        assert len(people) == (PRESENT[i] != "")
        for person in people:
            x, y, confidence = np.reshape(person["pose_keypoints_2d"], (42, 3)).T
            rows = [21 * h + j for h in range(2) for j in WRIST_FIRST]
            np.testing.assert_allclose(np.stack([x, y], 1), np.nan_to_num(tracks.joints_px[i, rows]), atol=1e-4)
            np.testing.assert_allclose(confidence, np.nan_to_num(tracks.joint_confidence[i, rows]), atol=1e-4)


TRIANGULATED_BY_POSE2SIM = """
import json, os, pathlib, sys, rtoml
from Pose2Sim.common import convert_to_c3d, read_trc
from Pose2Sim.triangulation import triangulate_all
os.chdir(sys.argv[1])
settings = rtoml.load(pathlib.Path("Config.toml"))
settings["project"], settings["triangulation"] = {"project_dir": "."}, {
    "reproj_error_threshold_triangulation": 15, "likelihood_threshold_triangulation": 0.3, "make_c3d": False,
    "interpolation": "linear", "interp_if_gap_smaller_than": 20, "show_interp_indices": False,
}
triangulate_all(settings)
convert_to_c3d("ours.trc")
read = {}
for name, path in (("theirs", next(pathlib.Path("pose-3d").glob("*.trc"))), ("ours", "ours.trc")):
    places, _, _, markers, _ = read_trc(path)
    read[name] = {"markers": list(markers), "places": places.to_numpy().tolist()}
print(json.dumps(read))
"""


def test_pose2sim_triangulates_two_cameras_and_reads_the_trc(tmp_path: Path) -> None:
    """From the folders and the cameras' file that this program writes; its world is here the first camera's frame."""
    python_with("Pose2Sim")
    tracks = tracks_of(["rl"] * 14)
    tracks = replace(tracks, joint_confidence=np.ones_like(tracks.joint_confidence))
    turn = Rotation.from_euler("y", 20, degrees=True).as_matrix()
    places = ((np.eye(3), np.zeros(3)), (turn, -turn @ [-180.0, 0.0, 20.0]))
    rig = [Camera(f"cam{k}", (640, 480), tracks.intrinsics, r, t) for k, (r, t) in enumerate(places)]
    for camera in rig:
        px = camera.project(tracks.joints_cam_mm.reshape(-1, 3).astype(float)).reshape(-1, 42, 2)
        assert (px > 0).all()  # it takes no points outside
        save_as(replace(tracks, joints_px=px.astype(np.float32)), tmp_path / "pose" / f"{camera.name}.pose2sim_json")
    (tmp_path / "calibration").mkdir()
    save_cameras(tmp_path / "calibration/cameras.toml", rig, "m")
    save_as(tracks, tmp_path / "ours.trc")
    (tmp_path / "Config.toml").write_text(SKELETON.read_text() + '\n[pose]\npose_model = "HANDS_42"\n')
    read = json.loads(run_with("Pose2Sim", "-c", TRIANGULATED_BY_POSE2SIM, str(tmp_path)).splitlines()[-1])
    assert read["theirs"]["markers"] == read["ours"]["markers"] == list(MARKERS)
    theirs, ours = (np.reshape(np.array(read[name]["places"], float), (-1, 42, 3)) for name in ("theirs", "ours"))
    world_m = theirs[..., [2, 0, 1]]  # it stores y, z, x of a world with z up
    np.testing.assert_allclose(1000 * world_m, joints_by_marker(tracks)[: len(world_m)], atol=0.05)
    np.testing.assert_allclose(in_camera(ours), joints_by_marker(tracks), atol=1e-3)


READ_BY_OPENSIM = """
import json, sys, opensim
table = opensim.TimeSeriesTableVec3(sys.argv[1])
column = table.getDependentColumn("LIndex4")
rows = [column[i].to_numpy().tolist() for i in range(table.getNumRows())]
units = table.getTableMetaDataString("Units")
print(json.dumps({"labels": list(table.getColumnLabels()), "units": units, "rows": rows}))
"""


def test_opensim_reads_the_trc(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.trc")
    read = json.loads(run_with("opensim", "-c", READ_BY_OPENSIM, str(tmp_path / "t.trc")).splitlines()[-1])
    assert (read["labels"], read["units"]) == (list(MARKERS), "mm")
    expected = joints_by_marker(tracks)[:, MARKERS.index("LIndex4")]
    np.testing.assert_allclose(in_camera(np.array(read["rows"])), expected, atol=1e-3)


def c3d_matches(places: NDArray, missing: NDArray, tracks: Tracks) -> None:
    """Markers (F, 42, 3) in mm, and which of them are not there (F, 42)."""
    expected = joints_by_marker(tracks)
    np.testing.assert_array_equal(missing, np.isnan(expected[..., 0]))
    np.testing.assert_allclose(in_camera(places)[~missing], expected[~missing], atol=1e-3)


def test_c3d_read_by_ezc3d(tracks: Tracks, tmp_path: Path) -> None:
    ezc3d = pytest.importorskip("ezc3d", reason="needs the extra formats")
    save_as(tracks, tmp_path / "t.c3d")
    file = ezc3d.c3d(str(tmp_path / "t.c3d"))
    point, analog = file["parameters"]["POINT"], file["parameters"]["ANALOG"]
    assert point["LABELS"]["value"] == list(MARKERS)
    assert (point["UNITS"]["value"][0], point["RATE"]["value"][0]) == ("mm", pytest.approx(30))
    assert [point[f"{axis}_SCREEN"]["value"] for axis in "XY"] == [["-Z"], ["+Y"]]
    missing = file["data"]["meta_points"]["residuals"][0].T < 0
    c3d_matches(file["data"]["points"][:3].transpose(2, 1, 0), missing, tracks)
    channels = dict(zip(analog["LABELS"]["value"], file["data"]["analogs"][0], strict=True))
    for h, letter in enumerate("RL"):
        np.testing.assert_array_equal(channels[f"{letter}_depth_from"], tracks.root_depth_from[:, h])
        sigma = np.nan_to_num(tracks.root_depth_sigma_mm[:, h], nan=-1)
        np.testing.assert_allclose(channels[f"{letter}_depth_sigma"], sigma, rtol=1e-5)
        confidence = np.nan_to_num(tracks.joint_confidence[:, 21 * h + 20], nan=-1)
        np.testing.assert_allclose(channels[f"{letter}Wrist_conf"], confidence, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_c3d_read_by_another_package(tracks: Tracks, tmp_path: Path) -> None:
    pytest.importorskip("ezc3d", reason="needs the extra formats")
    c3d = pytest.importorskip("c3d", reason="needs the extra test")
    save_as(tracks, tmp_path / "t.c3d")
    with (tmp_path / "t.c3d").open("rb") as file:
        reader = c3d.Reader(file)
        assert [label.strip() for label in reader.point_labels] == list(MARKERS)
        assert reader.point_rate == pytest.approx(30)
        frames = [points for _, points, _ in reader.read_frames()]
    values = np.array(frames)
    c3d_matches(values[..., :3], values[..., 3] < 0, tracks)


def test_uneven_times_become_a_steady_rate(tmp_path: Path) -> None:
    """What is not the joints comes from the nearest frame, so that every array has as many rows."""
    ezc3d = pytest.importorskip("ezc3d", reason="needs the extra formats")
    even = tracks_of(["rl"] * 12)
    uneven = Tracks(**{**vars(even), "t_s": even.t_s + np.where(np.arange(12) % 3 == 1, 0.01, 0.0)})
    save_as(uneven, tmp_path / "t.c3d")
    file = ezc3d.c3d(str(tmp_path / "t.c3d"))
    assert file["data"]["points"].shape[-1] == file["data"]["analogs"].shape[-1]
    code = ROOT_DEPTH_NAMES.index("rootnet")
    channels = dict(zip(file["parameters"]["ANALOG"]["LABELS"]["value"], file["data"]["analogs"][0], strict=True))
    assert set(channels["R_depth_from"]) == {code}


def test_openpose_folder(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "cam1.openpose_json")
    files = sorted((tmp_path / "cam1.openpose_json").iterdir())
    assert [file.name for file in files] == [f"hands_{i:012d}_keypoints.json" for i in range(len(PRESENT))]
    for i, file in enumerate(files):
        people = json.loads(file.read_text())["people"]
        assert len(people) == (1 if PRESENT[i] else 0)
        for person in people:
            for h, side in enumerate(SIDES):
                points = np.array(person[f"hand_{side}_keypoints_2d"]).reshape(21, 3)
                rows = [21 * h + j for j in WRIST_FIRST]
                there = side[0] in PRESENT[i]
                expected = tracks.joints_px[i, rows] if there else 0.0
                np.testing.assert_allclose(points[:, :2], np.broadcast_to(expected, (21, 2)), atol=1e-3)
                assert (points[:, 2] > 0).all() == there


def test_openpose_read_by_pose_format(tracks: Tracks, tmp_path: Path) -> None:
    """Its header has the picture's size; hands are found under OpenPose's names."""
    openpose = pytest.importorskip("pose_format.utils.openpose", reason="needs the extra formats")
    save_as(tracks, tmp_path / "t.openpose_json")
    pose = openpose.load_openpose_directory(str(tmp_path / "t.openpose_json"), fps=30, width=640, height=480)
    hands = pose.get_components(["hand_right_keypoints_2d"]).body
    there = np.array(["r" in sides for sides in PRESENT])
    found = np.asarray(hands.data.filled(0))[:, 0, :, :2]
    expected = tracks.joints_px[:, list(WRIST_FIRST)]
    np.testing.assert_allclose(found[there], expected[there], atol=1e-3)
    assert (np.asarray(hands.confidence)[:, 0].max(axis=1) > 0).tolist() == there.tolist()


def test_a_folder_is_never_replaced_by_a_command(
    tracks: Tracks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_as(tracks, tmp_path / "t.npz")
    words = [str(tmp_path / "t.npz"), str(tmp_path / "t.openpose_json")]
    assert (main(words), main(words)) == (0, 2)
    assert "exists already" in capsys.readouterr().err
    save_as(tracks_of(["r"]), tmp_path / "t.openpose_json")
    assert len(list((tmp_path / "t.openpose_json").iterdir())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.npz", "t.openpose_json"]

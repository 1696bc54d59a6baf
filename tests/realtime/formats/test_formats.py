"""Every format, read back by other means than it was written with, holds what the tracks hold."""

from __future__ import annotations

import csv
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.errors import UserError
from engines.skeleton import HAND_SLICES, JOINT_NAMES, PARENTS, SIDES
from realtime.formats import saving
from realtime.formats.__main__ import main
from realtime.formats.saving import SUFFIXES, require, save_as
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import FRAME_FIELDS, ROOT_DEPTH_NAMES, Tracks, rotations_of
from realtime.tracks.writer import TrackWriter
from tests.support.bvh_parser import read_bvh
from tests.support.hand_frames import INTRINSICS, SIZE, hand_frame, joints_mm
from tests.support.track_files import tracks_of

PRESENT = ["", "r", "rl", "rl", "l", "", "rl", "rl", "rl", "r"]


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return tracks_of(PRESENT)


def same_fields(a: Tracks, b: Tracks) -> None:
    for name in Tracks.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_npz(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.npz")
    same_fields(load_tracks(tmp_path / "t.npz"), tracks)


def test_json_lines(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.jsonl")
    head, *frames = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert head["format"] == "two-hands-jsonl 1"
    assert head["joints"] == list(JOINT_NAMES)
    assert [head["intrinsics_px"][name] for name in ("fx", "fy", "cx", "cy")] == tracks.intrinsics_px.tolist()
    assert (head["size_px"], head["settings"]) == (list(SIZE), json.loads(tracks.settings))
    assert [frame["frame_index"] for frame in frames] == tracks.frame_index.tolist()
    assert [frame["t_s"] for frame in frames] == tracks.t_s.tolist()
    for i, (frame, sides) in enumerate(zip(frames, PRESENT, strict=True)):
        assert [hand["side"][0] for hand in frame["hands"]] == list(sides)
        assert len(frame["crops_px"]) == len(sides)
        for hand in frame["hands"]:
            h = SIDES.index(hand["side"])
            rows = slice(21 * h, 21 * h + 21)
            for name in ("joints_cam_mm", "joints_px", "joint_confidence"):
                np.testing.assert_array_equal(np.array(hand[name], np.float32), getattr(tracks, name)[i, rows])
            assert np.float32(hand["hand_probability"]) == tracks.hand_probability[i, h]
            assert hand["root_depth_from"] == ROOT_DEPTH_NAMES[tracks.root_depth_from[i, h]]


def table_matches(columns: dict[str, list[object]], tracks: Tracks) -> None:
    """Columns by name against the fields, empty cells (None) being NaN."""

    def column(name: str) -> NDArray[np.float32]:
        return np.array([np.nan if value in (None, "") else value for value in columns[name]], np.float32)

    for h, side in enumerate(SIDES):
        assert columns[f"{side}_root_depth_from"] == [ROOT_DEPTH_NAMES[k] for k in tracks.root_depth_from[:, h]]
        np.testing.assert_array_equal(column(f"{side}_hand_probability"), tracks.hand_probability[:, h])
        for j, joint in enumerate(JOINT_NAMES):
            for k, ending in enumerate(("x_mm", "y_mm", "z_mm")):
                found = column(f"{side}_{joint}_{ending}")
                np.testing.assert_array_equal(found, tracks.joints_cam_mm[:, 21 * h + j, k])
            for k, ending in enumerate(("u_px", "v_px")):
                np.testing.assert_array_equal(column(f"{side}_{joint}_{ending}"), tracks.joints_px[:, 21 * h + j, k])
            np.testing.assert_array_equal(column(f"{side}_{joint}_confidence"), tracks.joint_confidence[:, 21 * h + j])
    for c in range(2):
        for k, ending in enumerate(("x_px", "y_px", "side_px", "angle_rad")):
            np.testing.assert_array_equal(column(f"crop{c + 1}_{ending}"), tracks.crops_px[:, c, k])
    assert [float(str(t)) for t in columns["t_s"]] == tracks.t_s.tolist()
    assert [int(str(t)) for t in columns["frame_index"]] == tracks.frame_index.tolist()


def test_csv(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(tracks)
    table_matches({name: [row[name] for row in rows] for name in rows[0]}, tracks)
    assert [float(rows[3][name]) for name in ("fx_px", "fy_px", "cx_px", "cy_px")] == tracks.intrinsics_px.tolist()
    assert rows[0]["right_wrist_x_mm"] == ""


def test_parquet(tracks: Tracks, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra formats")
    save_as(tracks, tmp_path / "t.parquet")
    table = pq.read_table(tmp_path / "t.parquet")
    table_matches(table.to_pydict(), tracks)
    facts = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert facts["format"] == "two-hands-parquet 1"
    assert json.loads(facts["intrinsics_px"]) == tracks.intrinsics_px.tolist()
    assert (facts["settings"], facts["versions"]) == (tracks.settings, tracks.versions)


def bvh_places(path: Path, frame: int) -> NDArray[np.float64]:
    """(42, 3) in camera mm."""
    places = read_bvh(path).places(frame)
    found = []
    for side in SIDES:
        for name in JOINT_NAMES:
            key = f"{side}_{name}"
            found.append(places[key] if key in places else places[f"{side}_{name[:-1]}3_end"])
    return np.array(found) * 10 * [1, -1, -1]


def test_bvh_holds_the_joints(tracks: Tracks, tmp_path: Path) -> None:
    """These hands have constant bones and a flat palm that bends with them: the skeleton reaches every joint."""
    save_as(tracks, tmp_path / "t.bvh")
    bvh = read_bvh(tmp_path / "t.bvh")
    assert len(bvh.rows) == len(tracks)
    assert bvh.frame_time_s == pytest.approx(1 / 30, abs=1e-6)
    for i, sides in enumerate(PRESENT):
        found = bvh_places(tmp_path / "t.bvh", i)
        for h, side in enumerate(SIDES):
            if side[0] in sides:
                error = np.linalg.norm(found - tracks.joints_cam_mm[i], axis=1)[21 * h : 21 * h + 21]
                assert error.max() < 0.05


def test_bvh_rest_pose_is_a_flat_hand(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.bvh")
    bvh = read_bvh(tmp_path / "t.bvh")
    bvh.rows = np.zeros_like(bvh.rows)
    places = bvh.places(0)
    wrist, tip = places["right_wrist"], places["right_middle3_end"]
    assert (tip - wrist)[1] > 15  # centimetres, upwards
    assert abs((tip - wrist)[2]) < 3
    assert places["right_thumb1"][0] > wrist[0] > places["right_little1"][0]
    assert places["left_thumb1"][0] < wrist[0] < places["left_little1"][0]


def test_bvh_of_uneven_times_keeps_the_pace(tmp_path: Path) -> None:
    even = tracks_of(["rl"] * 41)
    keep = np.array([i for i in range(41) if i % 7 not in (3, 4)])
    fields = {name: getattr(even, name)[keep] for name in FRAME_FIELDS}
    save_as(Tracks(**{**vars(even), **fields}), tmp_path / "t.bvh")
    bvh = read_bvh(tmp_path / "t.bvh")
    assert (len(bvh.rows), bvh.frame_time_s) == (41, pytest.approx(1 / 30, abs=1e-6))
    for i in (3, 11, 25):  # left out, so in between
        error = np.linalg.norm(bvh_places(tmp_path / "t.bvh", i) - even.joints_cam_mm[i], axis=1)
        assert error.max() < 3.0


def at_times(t_s: NDArray[np.float64]) -> Tracks:
    return replace(tracks_of(["rl"] * len(t_s)), t_s=t_s)


def test_a_bvh_grows_with_the_frames_not_with_their_times(tmp_path: Path) -> None:
    steady = np.arange(60) / 30
    pairs = steady - np.arange(60) % 2 * (1 / 30 - 0.001)
    day = steady + 86_400.0 * (np.arange(60) > 20)
    for times, count in ((steady, 60), (pairs, 59), (day, 60 + 59)):
        save_as(at_times(times), tmp_path / "t.bvh")
        bvh = read_bvh(tmp_path / "t.bvh")
        assert len(bvh.rows) == pytest.approx(count, abs=1)
        assert bvh.frame_time_s == pytest.approx(1 / 30, rel=0.02)


def test_bvh_angles_do_not_jump_where_the_hand_does_not(tmp_path: Path) -> None:
    """Two whole turns of both hands about the camera's axis, tilted on the way: every channel follows."""
    tracks = tracks_of(["rl"] * 73)
    for i in range(73):
        turn = Rotation.from_euler("zxy", [10.0 * i, 70.0 * np.sin(0.3 * i), 30.0 * np.cos(0.2 * i)], degrees=True)
        tracks.joints_cam_mm[i] = turn.apply(tracks.joints_cam_mm[0] - [0, 0, 500]) + [0, 0, 500]
    save_as(replace(tracks, joint_rotations=rotations_of(tracks.joints_cam_mm)), tmp_path / "t.bvh")
    bvh = read_bvh(tmp_path / "t.bvh")
    assert np.abs(np.diff(bvh.rows[:, 6:], axis=0)[:, 3:6]).max() < 60  # the right wrist's rotation
    assert np.abs(np.diff(bvh.rows, axis=0)).max() < 60
    assert np.abs(bvh.rows[-1, 9:12] - bvh.rows[0, 9:12]).max() == pytest.approx(720, abs=45)
    error = np.linalg.norm(bvh_places(tmp_path / "t.bvh", 50) - tracks.joints_cam_mm[50], axis=1)
    assert error.max() < 5


def test_bvh_angles_of_a_closing_hand_are_its_flexion(tmp_path: Path) -> None:
    """Every finger joint of both hands bends by 80 degrees: one channel says so, the others hardly move."""
    tracks = tracks_of(["rl"] * 51)
    for i in range(51):
        for side in SIDES:
            tracks.joints_cam_mm[i, HAND_SLICES[side]] = joints_mm(side, (0, 0, 500), curl_deg=1.6 * i)
    tracks = replace(tracks, joint_rotations=rotations_of(tracks.joints_cam_mm))
    save_as(tracks, tmp_path / "t.bvh")
    bvh = read_bvh(tmp_path / "t.bvh")
    hands = bvh.rows[:, 6:].reshape(51, 2, -1)
    wrists, fingers = hands[:, :, :6], hands[:, :, 6:].reshape(51, 2, 5, 3, 3)[:, :, 1:]
    np.testing.assert_allclose(wrists[:, :, 3:], wrists[:1, :, 3:].repeat(51, 0), atol=0.1)
    np.testing.assert_allclose(fingers[-1, :, :, :, 0] - fingers[0, :, :, :, 0], 80, atol=10)
    assert np.abs(np.diff(fingers, axis=0)).max() < 4
    angles = tracks.joint_angles_deg()[:, 5:8]  # index finger: joints 3, 2, 1
    np.testing.assert_allclose(fingers[:, 0, 0, ::-1, 0], angles[:, :, 0], atol=4)


def glb_parts(path: Path) -> tuple[dict, bytes]:
    """JSON and binary chunk of a GLB, by its specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    binary_size, binary_kind = struct.unpack_from("<I4s", data, 20 + size)
    assert binary_kind == b"BIN\0"
    return json.loads(data[20 : 20 + size]), data[28 + size : 28 + size + binary_size]


class Gltf:
    """Evaluates the animation of a GLB at a key frame."""

    def __init__(self, path: Path) -> None:
        self.json, self.binary = glb_parts(path)
        self.parents = {c: p for p, node in enumerate(self.json["nodes"]) for c in node.get("children", [])}

    def accessor(self, number: int) -> NDArray:
        accessor = self.json["accessors"][number]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
        dtype = {5126: "<f4", 5123: "<u2"}[accessor["componentType"]]
        count = accessor["count"] * width
        return np.frombuffer(self.binary, dtype, count, view["byteOffset"]).reshape(-1, width)

    def local(self, number: int, frame: int) -> NDArray[np.float64]:
        node = self.json["nodes"][number]
        parts = {"translation": [0.0] * 3, "rotation": [0.0, 0.0, 0.0, 1.0], "scale": [1.0] * 3}
        parts |= {key: node[key] for key in parts if node.get(key) is not None}
        animation = self.json["animations"][0]
        for channel in animation["channels"]:
            if channel["target"]["node"] == number:
                sampler = animation["samplers"][channel["sampler"]]
                parts[channel["target"]["path"]] = self.accessor(sampler["output"])[frame].tolist()
        x, y, z, w = parts["rotation"]
        assert np.linalg.norm([x, y, z, w]) == pytest.approx(1, abs=1e-5)
        turn = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(turn) * parts["scale"]
        matrix[:3, 3] = parts["translation"]
        return matrix

    def world(self, number: int, frame: int) -> NDArray[np.float64]:
        above = self.world(self.parents[number], frame) if number in self.parents else np.eye(4)
        return above @ self.local(number, frame)


def test_glb_joints_lie_where_they_were_tracked(tracks: Tracks, tmp_path: Path) -> None:
    pytest.importorskip("pygltflib", reason="needs the extra formats")
    save_as(tracks, tmp_path / "t.glb")
    gltf = Gltf(tmp_path / "t.glb")
    names = [node["name"] for node in gltf.json["nodes"]]
    times = gltf.accessor(gltf.json["animations"][0]["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times, tracks.t_s - tracks.t_s[0], atol=1e-6)
    for i, sides in enumerate(PRESENT):
        for h, side in enumerate(SIDES):
            hand = gltf.world(names.index(f"{side}_hand"), i)
            assert np.linalg.det(hand[:3, :3]) == pytest.approx(float(side[0] in sides))
            if side[0] not in sides:
                continue
            places = [gltf.world(names.index(f"{side}_{name}"), i)[:3, 3] for name in JOINT_NAMES]
            found = np.array(places) * 1000 * [1, -1, -1]
            np.testing.assert_allclose(found, tracks.joints_cam_mm[i, 21 * h : 21 * h + 21], atol=2e-3)


def test_glb_skin_rests_where_its_joints_rest(tracks: Tracks, tmp_path: Path) -> None:
    pytest.importorskip("pygltflib", reason="needs the extra formats")
    save_as(tracks, tmp_path / "t.glb")
    gltf = Gltf(tmp_path / "t.glb")
    del gltf.json["animations"][0]["channels"][:]
    for skin in gltf.json["skins"]:
        binding = gltf.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        for joint, inverse in zip(skin["joints"], binding, strict=True):
            np.testing.assert_allclose(inverse @ gltf.world(joint, 0), np.eye(4), atol=1e-6)
        names = [gltf.json["nodes"][joint]["name"].partition("_")[2] for joint in skin["joints"]]
        assert names == list(JOINT_NAMES)
        for joint, parent in enumerate(PARENTS[:20]):
            assert gltf.parents[skin["joints"][joint]] == skin["joints"][parent]
    skinned = [i for i, node in enumerate(gltf.json["nodes"]) if "skin" in node]
    assert set(skinned) <= set(gltf.json["scenes"][0]["nodes"])  # "should be at the root", says the format
    for mesh in gltf.json["meshes"]:
        attributes = mesh["primitives"][0]["attributes"]
        assert gltf.accessor(attributes["JOINTS_0"]).max() < 21
        np.testing.assert_allclose(gltf.accessor(attributes["WEIGHTS_0"]).sum(axis=1), 1)
        places = gltf.accessor(attributes["POSITION"])
        limits = gltf.json["accessors"][attributes["POSITION"]]
        np.testing.assert_allclose([places.min(0), places.max(0)], [limits["min"], limits["max"]])


def test_gltf_as_text_holds_the_same_numbers(tracks: Tracks, tmp_path: Path) -> None:
    pygltflib = pytest.importorskip("pygltflib", reason="needs the extra formats")
    save_as(tracks, tmp_path / "t.glb")
    save_as(tracks, tmp_path / "t.gltf")
    text = pygltflib.GLTF2().load(str(tmp_path / "t.gltf"))
    assert text.get_data_from_buffer_uri(text.buffers[0].uri) == glb_parts(tmp_path / "t.glb")[1]


def test_rerun(tracks: Tracks, tmp_path: Path) -> None:
    rerun = pytest.importorskip("rerun", reason="needs the extra rerun")
    save_as(tracks, tmp_path / "t.rrd")
    recording = rerun.dataframe.load_recording(str(tmp_path / "t.rrd"))
    for h, side in enumerate(SIDES):
        there = [i for i, sides in enumerate(PRESENT) if side[0] in sides]
        table = recording.view(index="frame", contents=f"camera/{side}/joints").select().read_all()
        found = table.column(f"/camera/{side}/joints:Position3D").to_pylist()
        kept = dict(zip(table.column("frame").to_pylist(), found, strict=True))
        for i in there:
            np.testing.assert_array_equal(np.array(kept[i], np.float32), tracks.joints_cam_mm[i, 21 * h : 21 * h + 21])
        assert all(not kept[i] for i in range(len(PRESENT)) if i not in there)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("present", [[], [""], ["", "r"]], ids=["no frames", "no hands", "one hand once"])
def test_next_to_nothing_can_be_written_too(suffix: str, present: list[str], tmp_path: Path) -> None:
    try:
        require(suffix)
    except UserError as error:
        pytest.skip(str(error))
    tracks = tracks_of(present) if present else tracks_of([""])
    if not present:
        tracks = Tracks(**{**vars(tracks), **{name: getattr(tracks, name)[:0] for name in FRAME_FIELDS}})
    save_as(tracks, tmp_path / f"t{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"t{suffix}"]
    assert (tmp_path / f"t{suffix}").stat().st_size > 0


def test_a_run_writes_the_format_its_file_name_says(tmp_path: Path) -> None:
    with TrackWriter(tmp_path / "t.csv", INTRINSICS, SIZE, "{}", "{}", save=save_as) as writer:
        for i in range(3):
            writer.append(hand_frame("right", index=i, t_s=i / 30))
        assert (tmp_path / "t.csv.part").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 4


def test_a_failed_writer_leaves_the_old_file_whole(
    tracks: Tracks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_as(tracks, tmp_path / "t.jsonl")
    before = (tmp_path / "t.jsonl").read_bytes()
    broken = Tracks(**{**vars(tracks), "settings": "no JSON"})
    with pytest.raises(ValueError, match="Expecting"):
        save_as(broken, tmp_path / "t.jsonl")
    assert (tmp_path / "t.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="EXTRAS=formats"):
        require(".parquet")
    with pytest.raises(UserError, match="EXTRAS=rerun"):
        require(".rrd")
    with pytest.raises(UserError, match=r"\.xyz"):
        require(".xyz")


def test_the_converter(tracks: Tracks, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_as(tracks, tmp_path / "t.npz")
    assert main([str(tmp_path / "t.npz"), str(tmp_path / "t.csv"), str(tmp_path / "u.bvh")]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "t.csv"), str(tmp_path / "u.bvh")]
    for bad in (["none.npz", "x.csv"], ["t.npz", "t.npz"], ["t.npz", "x.xyz"]):
        assert main([str(tmp_path / name) for name in bad]) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert said.count("\n") == 1

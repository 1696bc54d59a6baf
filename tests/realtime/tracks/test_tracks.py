"""The track file: what goes in comes out, also after a kill, a full disk or damaged bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.errors import UserError
from engines.geometry.crop import Crop
from engines.geometry.distortion import LENS_MODELS, LensModel
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, SIDES
from realtime.formats.__main__ import main
from realtime.messages import HandFrame, HandPose
from realtime.rotations.hand_rotations import hand_rotations
from realtime.rotations.quaternions import angle_deg
from realtime.tracks.part import recover_tracks
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import OLDER_RECORDS, PART_MAGIC, ROOT_DEPTH_NAMES, Tracks, encode
from realtime.tracks.writer import TrackWriter
from tests.support.full_disk import files_no_larger_than

INTRINSICS = Intrinsics(500.5, 501.25, 319.5, 239.5)
SIZE = (640, 480)
ROOT = Path(__file__).parents[3]


def make_frame(i: int, present: int = 3) -> HandFrame:
    """Frame i with random hands; bit h of `present` says whether hand h is there."""
    rng = np.random.default_rng(i)
    hands = tuple(
        HandPose(
            side=side,
            joints_cam_mm=rng.normal(0, 300, (21, 3)).astype(np.float32),
            joints_px=rng.uniform(0, 640, (21, 2)).astype(np.float32),
            joint_rotations=rng.normal(0, 1, (21, 4)).astype(np.float32),
            confidence=rng.uniform(0, 1, 21).astype(np.float32),
            hand_probability=float(np.float32(rng.uniform(0.3, 1))),
            root_depth_from=ROOT_DEPTH_NAMES[1 + i % 3],
        )
        for h, side in enumerate(SIDES)
        if present >> h & 1
    )
    crops = tuple(Crop((float(i), 20.0), 64.0, 0.5) for _ in hands)
    return HandFrame(2 * i, i / 30, hands, INTRINSICS, SIZE, crops, {"network": 3.0}, dropped=i % 2)


def open_writer(path: Path) -> TrackWriter:
    return TrackWriter(path, INTRINSICS, SIZE, settings='{"camera": {"fps": 60}}', versions='{"program": "0.1"}')


def write(path: Path, count: int = 8) -> list[HandFrame]:
    frames = [make_frame(i, present=i % 4) for i in range(count)]
    with open_writer(path) as writer:
        for frame in frames:
            writer.append(frame)
    return frames


def assert_same(a: HandFrame, b: HandFrame) -> None:
    assert (a.index, a.t_capture_s, a.dropped) == (b.index, b.t_capture_s, b.dropped)
    assert (a.intrinsics, a.size_px, a.crops) == (b.intrinsics, b.size_px, b.crops)
    assert [hand.side for hand in a.hands] == [hand.side for hand in b.hands]
    for x, y in zip(a.hands, b.hands, strict=True):
        np.testing.assert_array_equal(x.joints_cam_mm, y.joints_cam_mm)
        np.testing.assert_array_equal(x.joints_px, y.joints_px)
        np.testing.assert_array_equal(x.joint_rotations, y.joint_rotations)
        np.testing.assert_array_equal(x.confidence, y.confidence)
        assert (x.hand_probability, x.root_depth_from) == (y.hand_probability, y.root_depth_from)


def assert_equal_tracks(a: Tracks, b: Tracks) -> None:
    for name in Tracks.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "out.npz"
    frames = write(path)
    tracks = load_tracks(path)
    assert [p.name for p in path.parent.iterdir()] == ["out.npz"]
    assert len(tracks) == len(frames)
    for i, frame in enumerate(frames):
        assert_same(tracks.hand_frame(i), frame)
    assert tracks.fps == pytest.approx(30)
    assert json.loads(tracks.settings) == {"camera": {"fps": 60}}
    assert np.isnan(tracks.joints_cam_mm[0]).all()
    assert (tracks.hand_probability[0] == 0).all()


def test_plain_numpy_reads_it(tmp_path: Path) -> None:
    write(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as archive:
        assert archive["joints_cam_mm"].shape == (8, 42, 3)
        assert str(archive["format"]) == "two-hands-tracks 2"


def test_no_frames_at_all(tmp_path: Path) -> None:
    write(tmp_path / "out.npz", 0)
    tracks = load_tracks(tmp_path / "out.npz")
    assert (len(tracks), tracks.fps) == (0, 0)
    assert tracks.joints_px.shape == (0, 42, 2)


def test_an_error_in_the_run_keeps_its_frames(tmp_path: Path) -> None:
    def run() -> None:
        with open_writer(tmp_path / "out.npz") as writer:
            writer.append(make_frame(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(load_tracks(tmp_path / "out.npz")) == 1


CHILD = """
import sys
sys.path.insert(0, {root!r})
from tests.realtime.tracks.test_tracks import make_frame, open_writer
writer = open_writer({path!r})
i = 0
while True:
    writer.append(make_frame(i))
    i += 1
    print(i, flush=True)
"""


def test_killed_run_keeps_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    code = CHILD.format(root=str(ROOT), path=str(path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(20):
            child.stdout.readline()
        with pytest.raises(UserError, match="another run is writing"):
            open_writer(path)
        with pytest.raises(UserError, match="still writing"):
            recover_tracks(tmp_path / "out.npz.part")
        child.send_signal(signal.SIGKILL)
        said = list(child.stdout)
    appended = int(said[-1]) if said else 20

    part = tmp_path / "out.npz.part"
    with pytest.raises(UserError, match=r"out\.npz\.part"):
        load_tracks(path)
    partial = load_tracks(part)
    assert len(partial) >= appended
    assert_same(partial.hand_frame(appended - 1), make_frame(appended - 1))

    assert recover_tracks(part) == path
    assert_equal_tracks(load_tracks(path), partial)
    assert not part.exists()


def leave_part(path: Path, count: int) -> None:
    """Leave what a killed run leaves: a part, and nobody who holds it."""
    writer = open_writer(path)
    for i in range(count):
        writer.append(make_frame(i))
    os.close(writer._fd)


def test_leftover_part_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "out.npz"
    for count in (3, 4):
        leave_part(path, count)
    write(path, 5)
    assert [len(load_tracks(tmp_path / f"out.npz{end}")) for end in ("", ".part.1", ".part.2")] == [5, 3, 4]
    assert "out.npz.part.2" in caplog.text
    assert main([str(tmp_path / "out.npz.part.1")]) == 0
    assert len(load_tracks(tmp_path / "out.recovered.npz")) == 3


def test_part_with_a_torn_or_damaged_record(tmp_path: Path) -> None:
    leave_part(tmp_path / "a.npz", 5)
    data = (tmp_path / "a.npz.part").read_bytes()
    record = len(encode(make_frame(0)))
    (tmp_path / "torn.part").write_bytes(data[:-7])
    assert len(load_tracks(tmp_path / "torn.part")) == 4
    flipped = bytearray(data)
    flipped[-record * 3 + 100] ^= 1
    (tmp_path / "flipped.part").write_bytes(flipped)
    assert len(load_tracks(tmp_path / "flipped.part")) == 2


@pytest.mark.parametrize("name", ["folder", "file/out.npz", "/proc/no/out.npz", "/dev/null", "x" * 300])
def test_unwritable_output(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=name[:20]):
        open_writer(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission"):
        open_writer(tmp_path / "out.npz")


def test_full_disk(tmp_path: Path) -> None:
    """A limit on the file size stands for the disk: writing fails half-way through a record."""
    writer = open_writer(tmp_path / "out.npz")
    for i in range(5):
        writer.append(make_frame(i))
    with files_no_larger_than(writer.part.stat().st_size + 100):
        with pytest.raises(UserError, match="cannot be written"):
            writer.append(make_frame(5))
        assert len(load_tracks(writer.part)) == 5
    writer.append(make_frame(6))
    assert_same(load_tracks(writer.part).hand_frame(5), make_frame(6))
    with (
        files_no_larger_than(writer.part.stat().st_size - 100),
        pytest.raises(UserError, match="the frames are safe in"),
    ):
        writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.npz.part"]
    assert len(load_tracks(recover_tracks(writer.part))) == 6


def test_a_disk_that_is_full_from_the_start_leaves_no_file_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    before = len(list(Path("/proc/self/fd").iterdir()))
    with files_no_larger_than(10), pytest.raises(UserError, match="name another file or make room"):
        open_writer(path)  # not even its head fits
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with open_writer(path) as writer:  # nobody holds the name
        writer.append(make_frame(0))
    assert len(load_tracks(path)) == 1


def test_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").touch()
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", format=np.array([{}], dtype=object))
    for name in ("empty.npz", "text.npz", "other.npz", "pickle.npz", "none.npz", "folder.npz"):
        with pytest.raises(UserError, match=name.replace(".", r"\.")):
            load_tracks(tmp_path / name)


def test_what_cannot_be_recovered(tmp_path: Path) -> None:
    (tmp_path / "text.npz.part").write_text("hello")
    (tmp_path / "head.npz.part").write_text("two-hands-tracks-part 1\n{}\n")
    for name in ("text.npz.part", "head.npz.part", "none.npz.part", "out.npz"):
        with pytest.raises(UserError, match=name.replace(".", r"\.")):
            recover_tracks(tmp_path / name)
    assert main([str(tmp_path / "text.npz.part")]) == 2
    with pytest.raises(SystemExit):
        main([str(tmp_path / "out.npz")])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["head.npz.part", "text.npz.part"]


def test_declared_size_is_checked_before_it_is_allocated(tmp_path: Path) -> None:
    write(tmp_path / "out.npz")
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
            for other, data in members.items():
                huge = data.replace(b"(8,)", b"(8000000000000,)") if other == "t_s.npy" else data
                archive.writestr(other, huge, compression)
        with pytest.raises(UserError, match="not a track file"):
            load_tracks(tmp_path / "bad.npz")


def test_arrays_of_another_type_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as archive:
        arrays = dict(archive)
    for name, save in (("same.npz", np.savez), ("small.npz", np.savez_compressed)):
        save(tmp_path / name, **arrays)
        assert_equal_tracks(load_tracks(tmp_path / name), load_tracks(tmp_path / "out.npz"))
    for name, array in (("joints_px", arrays["joints_px"].view(np.int32)), ("t_s", arrays["t_s"].view(np.int64))):
        np.savez(tmp_path / "bad.npz", **(arrays | {name: array}))
        with pytest.raises(UserError, match=f"{name} is int"):
            load_tracks(tmp_path / "bad.npz")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_a_clear_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    write(tmp_path / "good.npz", 2)
    good = load_tracks(tmp_path / "good.npz")
    raw = bytearray((tmp_path / "good.npz").read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] ^= data.draw(st.integers(1, 255))
    else:
        del raw[at:]
    (tmp_path / "bad.npz").write_bytes(raw)
    message = ""
    try:
        assert_equal_tracks(load_tracks(tmp_path / "bad.npz"), good)
    except UserError as error:
        message = str(error)
    assert not message or "bad.npz" in message
    assert "\n" not in message


def test_misuse_is_an_error_of_ours(tmp_path: Path) -> None:
    with open_writer(tmp_path / "out.npz") as writer:
        other = make_frame(0)
        with pytest.raises(ValueError, match="another size"):
            writer.append(HandFrame(0, 0.0, other.hands, INTRINSICS, (1, 1)))
    with pytest.raises(ValueError, match="closed"):
        writer.append(other)


@pytest.mark.parametrize("model", LENS_MODELS)
def test_a_lens_and_the_sigmas_come_back(tmp_path: Path, model: LensModel) -> None:
    lens = replace(INTRINSICS, distortion=(-0.2, 0.05, 0.001, 0.0), lens_model=model)
    frame = make_frame(2)
    hands = tuple(replace(hand, root_depth_sigma_mm=30.5, root_depth_from="fused") for hand in frame.hands)
    frame = replace(frame, intrinsics=lens, hands=hands)
    with TrackWriter(tmp_path / "a.npz", lens, SIZE, "{}", "{}") as writer:
        writer.append(frame)
        found = [load_tracks(tmp_path / "a.npz.part").hand_frame(0)]
    found.append(load_tracks(tmp_path / "a.npz").hand_frame(0))
    for one in found:
        assert one.intrinsics == lens
        assert [(hand.root_depth_from, hand.root_depth_sigma_mm) for hand in one.hands] == [("fused", 30.5)] * 2


def test_files_from_before_the_sigmas_are_read(tmp_path: Path) -> None:
    write(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz", allow_pickle=False) as file:
        later = ("root_depth_sigma_mm", "distortion", "lens_model")
        older = {name: file[name] for name in file.files if name not in later}
    np.savez(tmp_path / "old.npz", **older)
    tracks = load_tracks(tmp_path / "old.npz")
    assert tracks.hand_frame(3).intrinsics == INTRINSICS
    assert np.isnan(tracks.root_depth_sigma_mm).all() and tracks.root_depth_sigma_mm.shape == (8, 2)


def test_files_of_version_1_get_their_rotations(tmp_path: Path) -> None:
    """A whole file and a part that were written before there were rotations: worked out as they are read."""
    write(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != "joint_rotations"}
    np.savez(tmp_path / "old.npz", **(arrays | {"format": np.array("two-hands-tracks 1")}))
    (older,) = OLDER_RECORDS
    records = np.zeros(len(arrays["t_s"]), older)
    for name in set(older.names or ()) - {"crc32"}:
        records[name] = arrays[name]
    for i, record in enumerate(records):
        records["crc32"][i] = zlib.crc32(record.tobytes()[:-4])
    head = {"record_bytes": older.itemsize, "intrinsics_px": [500, 500, 320, 240], "size_px": SIZE}
    head |= {"settings": "{}", "versions": "{}"}
    line = json.dumps(head).encode() + b"\n"
    (tmp_path / "old.npz.part").write_bytes(PART_MAGIC + line + records.tobytes())
    for name in ("old.npz", "old.npz.part"):
        tracks = load_tracks(tmp_path / name)
        np.testing.assert_array_equal(tracks.joints_cam_mm, arrays["joints_cam_mm"])
        for h, side in enumerate(SIDES):
            rows = tracks.root_depth_from[:, h] > 0
            found = tracks.joint_rotations[:, HAND_SLICES[side]]
            expected = hand_rotations(arrays["joints_cam_mm"][rows][:, HAND_SLICES[side]], side)
            assert angle_deg(found[rows], expected).max() < 0.1
            assert np.isnan(found[~rows]).all()

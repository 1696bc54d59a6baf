from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from engines.errors import UserError
from realtime.layers import load_settings
from tests.support.network_camera import NetworkCamera
from tests.support.rigs import rig_around
from training.annotation.__main__ import main
from training.annotation.cameras.files import save_cameras
from training.annotation.recordings.gather import gather
from training.annotation.recordings.moments import VideoTimes, moments_by_number, moments_by_time, moments_of_file
from training.annotation.recordings.offsets import best_lag
from training.annotation.recordings.record import record
from training.annotation.recordings.recording import Recording, load_recording
from training.annotation.recordings.video_out import VideoOut

SIZE = (640, 480)


def times(name: str, count: int, rate: float = 30.0) -> VideoTimes:
    return VideoTimes(Path(f"{name}.mp4"), np.arange(count) / rate, SIZE)


def video(path: Path, count: int, size: tuple[int, int] = SIZE, begin: int = 0) -> Path:
    """A lamp goes on at frame 10 of the world and off at 14, and a square wanders."""
    with VideoOut(path, size, 30.0) as out:
        for k in range(begin, begin + count):
            picture = np.full((size[1], size[0], 3), 150 if 10 <= k < 14 else 60, np.uint8)
            x = int(60 + 40 * np.sin(k / 5) + 3 * k) % (size[0] - 80)
            picture[100:180, x : x + 80] = 230
            out.write(picture)
    return path


def test_frames_belong_together_by_number_only_if_counts_and_rates_agree() -> None:
    moments = moments_by_number([times("a", 20), times("b", 20)])
    assert (moments.frames == np.arange(20)[:, None]).all()
    with pytest.raises(UserError, match=r"different numbers of frames \(a.mp4 20, b.mp4 19\)"):
        moments_by_number([times("a", 20), times("b", 19)])
    with pytest.raises(UserError, match="different rates"):
        moments_by_number([times("a", 20), times("b", 20, 25.0)])


def test_by_time_the_nearest_frames_meet_and_gaps_are_told() -> None:
    moments = moments_by_time([times("a", 60, 30.0), times("b", 20, 10.0)], [0.0, 0.5])
    assert moments.frames.shape == (15, 2)  # b's later frames have no partner
    assert (np.abs(moments.frames[:, 0] / 30 - (moments.frames[:, 1] / 10 + 0.5)) < 1 / 60).all()
    with pytest.raises(UserError, match="no moment in common"):
        moments_by_time([times("a", 30), times("b", 30)], [0.0, 20.0])


def test_caliscopes_time_stamps_may_start_anywhere_and_lack_frames(tmp_path: Path) -> None:
    path = tmp_path / "timestamps.csv"
    rows = ["sync_index,cam_id,frame_index,frame_time"]
    rows += [f"{s},{c},{s + 26},{s / 6 + 100}" for s in range(5) for c in (0, 1) if (s, c) != (2, 1)]
    path.write_text("\n".join(rows))
    moments = moments_of_file(path, [times("cam_0", 5, 6.0), times("cam_1", 5, 6.0)], ["cam_0", "cam_1"])
    assert moments.frames.tolist() == [[0, 0], [1, 1], [2, -1], [3, 3], [4, 4]]
    assert moments.t_s[-1] == pytest.approx(4 / 6)
    path.write_text("\n".join(rows).replace(",1,", ",7,"))
    with pytest.raises(UserError, match="camera 7, which is not calibrated"):
        moments_of_file(path, [times("a", 5), times("b", 5)], ["cam_0", "cam_1"])


def test_the_lag_of_two_curves_is_found_below_a_step() -> None:
    t = np.arange(600) / 120
    curve = np.exp(-(((t - 2.0) / 0.05) ** 2)) + 0.3 * np.sin(7 * t) * (t > 1)
    later = np.interp(t + 0.31, t, curve)  # began 0.31 s later
    lag, fit = best_lag(curve, later, 120.0)
    assert lag == pytest.approx(0.31, abs=0.006)
    assert fit > 0.9


def test_videos_that_began_apart_are_put_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_cameras(tmp_path / "cameras.toml", rig_around(2))
    videos = [video(tmp_path / "cam_0.mp4", 90), video(tmp_path / "cam_1.mp4", 84, begin=6)]
    with pytest.raises(UserError, match="different numbers of frames"):
        gather(tmp_path / "r", tmp_path / "cameras.toml", videos, None, None, [])
    found = gather(tmp_path / "r", tmp_path / "cameras.toml", videos, None, None, ["auto"])
    both = (found.frames >= 0).all(axis=1)
    assert both.sum() > 75
    assert (found.frames[both, 0] - found.frames[both, 1] == 6).all()
    assert "+200 ms" in capsys.readouterr().out
    again = load_recording(tmp_path / "r")
    assert np.array_equal(again.frames, found.frames)
    assert again.videos[0].samefile(videos[0])


@pytest.mark.parametrize(
    ("count", "size", "line"),
    [(1, SIZE, "one view only"), (2, (480, 640), "the video was turned"), (3, SIZE, "3 videos")],
)
def test_what_does_not_fit_together_is_one_line(tmp_path: Path, count: int, size: tuple[int, int], line: str) -> None:
    save_cameras(tmp_path / "cameras.toml", rig_around(2))
    videos = [video(tmp_path / f"v{k}.mp4", 3, size) for k in range(count)]
    with pytest.raises(UserError, match=line) as failure:
        gather(tmp_path / "r", tmp_path / "cameras.toml", videos, None, None, [])
    assert "\n" not in str(failure.value)


def test_one_video_is_not_two_cameras(tmp_path: Path) -> None:
    save_cameras(tmp_path / "cameras.toml", rig_around(2))
    one = video(tmp_path / "v.mp4", 3)
    with pytest.raises(UserError, match=r"v\.mp4 twice"):
        gather(tmp_path / "r", tmp_path / "cameras.toml", [one, one], None, None, [])


@pytest.mark.parametrize("step", ["gather --cameras none.toml --videos a.mp4 b.mp4", "render --moments 1 --views 2"])
def test_what_somebody_corrected_is_not_replaced(step: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "0.json").write_text("{}")
    name, *options = step.split()
    assert main([name, str(tmp_path), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "somebody corrected what lies here" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marks"]


def test_videos_of_some_cameras_go_by_their_names(tmp_path: Path) -> None:
    rig = rig_around(4)
    save_cameras(tmp_path / "cameras.toml", rig)
    videos = [video(tmp_path / f"{rig[k].name}.mp4", 3) for k in (3, 1)]
    found = gather(tmp_path / "r", tmp_path / "cameras.toml", videos, None, None, [])
    assert found.names == (rig[1].name, rig[3].name)
    assert [path.stem for path in found.videos] == [rig[1].name, rig[3].name]


def test_a_video_without_its_camera_is_named(tmp_path: Path) -> None:
    rig = rig_around(2)
    Recording(tmp_path, rig, (tmp_path / "a.mp4", tmp_path / "b.mp4"), np.zeros((1, 2), np.int64), np.zeros(1)).save()
    save_cameras(tmp_path / "cameras.toml", rig[:1])
    with pytest.raises(UserError, match="no camera cam_1"):
        load_recording(tmp_path)
    (tmp_path / "recording.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        load_recording(tmp_path)


def test_two_cameras_are_recorded_with_their_times(tmp_path: Path) -> None:
    with ExitStack() as stack:
        cameras = [NetworkCamera() for _ in range(2)]
        for camera in cameras:
            stack.callback(camera.unplug)
            camera.plug()
        logs, moments = record(tmp_path, [c.address for c in cameras], load_settings(None, []).camera, 1.0)
    assert all(len(log.t_s) > 5 for log in logs)
    assert (moments.frames >= 0).all(axis=1).sum() > 3
    apart = [abs(logs[0].t_s[a] - logs[1].t_s[b]) for a, b in moments.frames.tolist() if min(a, b) >= 0]
    assert max(apart) < 0.2
    told = json.loads((tmp_path / "recorded.json").read_text())
    assert [camera["frames"] for camera in told["cameras"]] == [len(log.t_s) for log in logs]
    with pytest.raises(UserError, match="holds a recording already"):
        record(tmp_path, ["0"], load_settings(None, []).camera, 1.0)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("", "names no frame"),
        ("0,cam_0,0,nan\n", "frame 0 of camera cam_0 at nan s"),
        ("0,cam_0,99999999999999999999,0.0\n", "cannot be"),
        ("0,cam_0,-3,0.0\n", "frame -3"),
        ("0,cam_0,0,0.0\n0,cam_1,0,0.0\n1,cam_0,1,0.0\n1,cam_1,1,0.0\n", "moment 0 is at 0 s, moment 1 is at 0 s"),
        ("0,cam_0,1,3.0\n1,cam_0,0,2.0\n", "times must grow"),
        ("0," + "x" * 200_000 + ",0,0.0\n", "needs columns"),
    ],
)
def test_time_stamps_that_cannot_be_are_told(rows: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "timestamps.csv"
    path.write_text("sync_index,cam_id,frame_index,frame_time\n" + rows, encoding="utf-8")
    with pytest.raises(UserError, match=told):
        moments_of_file(path, [times("cam_0", 5), times("cam_1", 5)], ["cam_0", "cam_1"])


def test_a_spreadsheets_mark_at_the_front_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "timestamps.csv"
    rows = "sync_index,cam_id,frame_index,frame_time\n0,cam_0,0,0.0\n0,cam_1,0,0.0\n"
    path.write_text(rows, encoding="utf-8-sig")
    assert len(moments_of_file(path, [times("cam_0", 5), times("cam_1", 5)], ["cam_0", "cam_1"]).t_s) == 1

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.errors import UserError
from tests.support.rigs import hands_mm, rig_around
from training.annotation.__main__ import main
from training.annotation.detect import bridged, detect, open_network, turned, unturned
from training.annotation.detection.detections import load_detections, save_detections
from training.annotation.recordings.recording import Recording, load_recording
from training.annotation.recordings.video_out import VideoOut
from training.annotation.rigs.rendering_truth import exact_hands
from training.annotation.triangulation.hands import load_hands

WAVING = Path("../shared/data/multiview/waving")
IN_TORCH = ["engine.backend=torch"]
"""The network without its witness, which no other test exports, nine seconds, or compiles."""


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_points_of_a_turned_picture_come_back_to_the_one_before(turns: int) -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[17, 52] = 255
    shown = turned(picture, turns)
    y, x = np.argwhere(shown[..., 0])[0]
    assert unturned(np.array([x, y], float), turns, picture.shape).tolist() == [52, 17]


def test_short_gaps_are_bridged_and_long_ones_are_not() -> None:
    joints = hands_mm(20).copy()
    joints[4:6] = np.nan
    joints[9:15] = np.nan
    filled = bridged(joints)
    assert np.allclose(filled[4], joints[3] + (joints[6] - joints[3]) / 3)
    assert np.isnan(filled[11:13]).all()
    assert np.array_equal(filled[9], joints[8])  # stands still for one moment
    assert np.array_equal(filled[14], joints[15])


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Grey pictures in which there is nothing."""
    rig = rig_around(2)
    for camera in rig:
        with VideoOut(tmp_path / f"{camera.name}.mp4", camera.size_px, 10.0) as video:
            for _ in range(4):
                video.write(np.full((480, 640, 3), 90, np.uint8))
    frames = np.repeat(np.arange(4)[:, None], 2, axis=1)
    made = Recording(tmp_path, rig, tuple(tmp_path / f"{c.name}.mp4" for c in rig), frames, np.arange(4) / 10)
    made.save()
    return made


def test_a_killed_run_goes_on_where_it_was(recording: Recording, tmp_path: Path) -> None:
    backend, guide = open_network(IN_TORCH), exact_hands(recording.rig, hands_mm()[:4], recording.t_s)
    folder = tmp_path / "found"
    whole = detect(recording, folder, None, backend, guide)
    path = folder / "cam_1.npz"
    half = load_detections(path)
    done = np.array([True, True, False, False])
    half = replace(half, joints_px=half.joints_px.copy(), done=done)
    half.joints_px[:2] = 7.0  # so that it shows whether it is looked at again
    half.joints_px[2:] = np.nan
    save_detections(path, half)
    again = detect(recording, folder, None, backend, guide)
    assert (again[1].joints_px[:2] == 7.0).all()
    assert np.allclose(again[1].joints_px[2:], whole[1].joints_px[2:], equal_nan=True)
    assert again[1].done.all()


def test_pictures_without_hands_are_said_to_be_so(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(recording.folder), "--set", *IN_TORCH]) == 0
    assert "no hands" in capsys.readouterr().out
    assert not load_hands(recording.folder / "hands.npz").accepted.any()


def test_detections_that_do_not_belong_are_refused(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="detect first"):
        load_detections(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(UserError, match="damaged detections"):
        load_detections(tmp_path / "broken.npz")


def test_detections_of_other_videos_or_of_hands_elsewhere_are_made_anew(recording: Recording, tmp_path: Path) -> None:
    """They were kept for any video of as many frames, and exported as the labels of its pictures."""
    backend, guide = open_network(IN_TORCH), exact_hands(recording.rig, hands_mm()[:4], recording.t_s)
    folder, said = tmp_path / "found", list[str]()
    detect(recording, folder, None, backend, guide)
    detect(recording, folder, None, backend, guide, said.append)
    assert all("kept" in line for line in said)
    elsewhere = exact_hands(recording.rig, hands_mm()[:4] + 30.0, recording.t_s)
    said.clear()
    detect(recording, folder, None, backend, elsewhere, said.append)
    assert sum("done anew" in line for line in said) == 2
    recording.videos[0].write_bytes(recording.videos[1].read_bytes())
    with VideoOut(recording.videos[1], recording.rig[1].size_px, 10.0) as video:
        for _ in range(4):
            video.write(np.full((480, 640, 3), 140, np.uint8))
    said.clear()
    detect(recording, folder, None, backend, elsewhere, said.append)
    recording.videos[0].unlink()
    with pytest.raises(UserError, match=r"cam_0\.mp4: cannot be read"):
        detect(recording, folder, None, backend, elsewhere)
    assert [line for line in said if "done anew" in line and "cam_1" in line]


@pytest.mark.timeout(900)  # the calibration is read, four videos are decoded four times
@pytest.mark.skipif(not WAVING.exists(), reason="the recording of four cameras is not here")
def test_real_hands_of_four_cameras_fit_within_four_pixels(tmp_path: Path) -> None:
    """Half a minute on a busy machine: the whole way over four moments of real pictures, twice 16 detections."""
    words = ["gather", str(tmp_path), "--cameras", str(WAVING / "camera_array.toml"), "--videos"]
    words += [*(str(WAVING / f"cam_{k}.mp4") for k in range(4)), "--timestamps", str(WAVING / "timestamps.csv")]
    assert main(words) == 0
    whole = load_recording(tmp_path)
    replace(whole, frames=whole.frames[14:18], t_s=whole.t_s[14:18]).save()
    assert main(["label", str(tmp_path), "--pictures", "1", "--set", *IN_TORCH]) == 0
    hands = load_hands(tmp_path / "hands.npz")
    kept = hands.error_px[hands.used & hands.accepted[:, None]]
    assert hands.accepted.mean() > 0.8  # both hands are held up, open
    assert np.median(kept) < 4.0
    assert list((tmp_path / "reprojections").glob("*.png"))

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.errors import UserError
from tests.support.rigs import hands_mm, rig_around
from training.annotation.cameras.files import load_cameras, save_cameras
from training.annotation.cameras.toml_text import toml_text

WAVING = Path("../shared/data/multiview/waving")


@pytest.mark.parametrize("unit", ["mm", "m", "cm"])
def test_cameras_come_back_from_their_file_in_any_unit(tmp_path: Path, unit: str) -> None:
    rig = rig_around(4)
    save_cameras(tmp_path / "cameras.toml", rig, unit)
    again = load_cameras(tmp_path / "cameras.toml")
    for before, after in zip(rig, again, strict=True):
        assert (before.name, before.size_px) == (after.name, after.size_px)
        assert np.allclose(before.project(hands_mm()), after.project(hands_mm()), atol=1e-6)
        assert np.allclose(before.position_mm, after.position_mm, atol=1e-6)


def test_a_file_of_pose2sim_needs_its_unit_and_then_gives_millimetres(tmp_path: Path) -> None:
    table = {"name": "left", "size": [1088.0, 1920.0], "matrix": [[1000.0, 0, 540], [0, 1000.0, 950], [0, 0, 1]]}
    table |= {"distortions": [0.0] * 4, "rotation": [0.1, 0.2, 0.3], "translation": [0.5, -0.2, 2.0], "fisheye": False}
    path = tmp_path / "Calib.toml"
    path.write_text(toml_text({"cam1": table, "cam2": {**table, "name": "right"}, "metadata": {"error": 0.0}}))
    with pytest.raises(UserError, match="--unit"):
        load_cameras(path)
    camera = load_cameras(path, "m")[0]
    assert np.allclose(camera.translation_mm, [500, -200, 2000])
    assert camera.intrinsics.distortion == ()
    assert np.allclose(camera.camera_from_world, cv2.Rodrigues(np.array([0.1, 0.2, 0.3]))[0])


def test_caliscopes_own_form_is_in_metres_with_turns_and_cameras_to_ignore(tmp_path: Path) -> None:
    matrix = "matrix = [[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]]\nsize = [1280, 720]\n"
    place = "distortions = [0.1, 0, 0, 0, 0]\nrotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\ntranslation = [0.1, 0, 1]\n"
    text = f"[cameras.0]\ncam_id = 0\nrotation_count = -1\nignore = false\n{matrix}{place}\n"
    text += f"[cameras.1]\nignore = true\n{matrix}{place}\n[cameras.2]\nrotation_count = 1\n{matrix}{place}"
    path = tmp_path / "camera_array.toml"
    path.write_text(text)
    rig = load_cameras(path)
    assert [camera.name for camera in rig] == ["cam_0", "cam_2"]
    assert [camera.quarter_turns for camera in rig] == [3, 1]
    assert np.allclose(rig[0].translation_mm, [100, 0, 1000])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"translation": None}, "no translation"),
        ({"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}, "mirrored"),
        ({"rotation": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}, "rotation that is none"),
        ({"fisheye": True}, "fisheye"),
        ({"distortions": [0.1] * 7}, "7 distortion"),
        ({"matrix": [[0.9, 0, 0.5], [0, 0.9, 0.5], [0, 0, 1]]}, "makes no sense"),
    ],
)
def test_a_camera_that_cannot_be_is_one_line(tmp_path: Path, change: dict[str, object], word: str) -> None:
    table: dict[str, object] = {"size": [640, 480], "matrix": [[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]]}
    table |= {"distortions": [0.0] * 5, "rotation": [0.0, 0.0, 0.0], "translation": [0.0, 0.0, 500.0]}
    table = {key: value for key, value in {**table, **change}.items() if value is not None}
    path = tmp_path / "cameras.toml"
    path.write_text(toml_text({"cam_0": table, "metadata": {"unit": "mm"}}))
    with pytest.raises(UserError, match=word) as failure:
        load_cameras(path)
    assert "\n" not in str(failure.value)
    assert "cam_0" in str(failure.value)


def test_slopes_are_those_of_the_projection() -> None:
    camera = rig_around(3)[1]
    point = hands_mm()[0, 5]
    _, slopes = camera.project_with_slopes(point)
    for axis, step in enumerate(1e-3 * np.eye(3)):
        numeric = (camera.project(point + step) - camera.project(point - step)) / 2e-3
        assert np.allclose(slopes[:, axis], numeric, atol=1e-5)
    assert np.isnan(camera.project(camera.position_mm - 100 * camera.camera_from_world[2])).all()


@pytest.mark.skipif(not WAVING.exists(), reason="the recording of four cameras is not here")
def test_the_real_cameras_are_read() -> None:
    rig = load_cameras(WAVING / "camera_array.toml")
    assert len(rig) == 4
    assert all(300 < np.linalg.norm(camera.position_mm) < 1500 for camera in rig)

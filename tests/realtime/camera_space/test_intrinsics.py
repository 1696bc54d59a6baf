"""Intrinsics from a field of view, from the paper, and from calibration files of several tools."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, backproject, project, undistorted_side_px
from realtime.camera_space.calibration_file import save_intrinsics
from realtime.camera_space.intrinsics import (
    intrinsics_from_fov,
    load_intrinsics,
    normalised_intrinsics,
    resolve_intrinsics,
)
from realtime.config import IntrinsicsSettings

SIZE = (640, 480)
CALIBRATED = Intrinsics(600.5, 610.25, 310.0, 250.75)
MATRIX = np.array([[600.5, 0, 310.0], [0, 610.25, 250.75], [0, 0, 1]])


@given(fov_deg=st.floats(10, 160), width=st.integers(2, 8000), height=st.integers(2, 8000))
def test_field_of_view_spans_the_longer_side(fov_deg: float, width: int, height: int) -> None:
    intrinsics = intrinsics_from_fov(fov_deg, (width, height))
    axis = 0 if width >= height else 1
    edges = np.tile([(width - 1) / 2, (height - 1) / 2], (2, 1))
    edges[:, axis] = [-0.5, max(width, height) - 0.5]
    rays = backproject(edges, np.ones(2), intrinsics)
    cosine = rays[0] @ rays[1] / np.linalg.norm(rays[0]) / np.linalg.norm(rays[1])
    assert math.degrees(math.acos(cosine)) == pytest.approx(fov_deg, abs=1e-6)
    assert intrinsics.fx == intrinsics.fy


def test_normalised() -> None:
    assert normalised_intrinsics(SIZE) == Intrinsics(1500, 1500, 319.5, 239.5)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "camera.json"
    save_intrinsics(path, CALIBRATED, SIZE)
    assert load_intrinsics(path, SIZE) == CALIBRATED


@pytest.mark.parametrize("name", ["camera.yml", "camera.json"])
def test_files_that_opencv_writes(tmp_path: Path, name: str) -> None:
    storage = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", MATRIX)
    storage.write("distortion_coefficients", np.array([[0.1, -0.2, 0, 0, 0]]))
    storage.release()
    assert load_intrinsics(tmp_path / name, SIZE) == replace(CALIBRATED, distortion=(0.1, -0.2, 0, 0))


@pytest.mark.parametrize(
    "text",
    [
        "image_width: 640\nimage_height: 480\n"
        "camera_matrix: {rows: 3, cols: 3, data: [600.5, 0, 310, 0, 610.25, 250.75, 0, 0, 1]}",
        "width: 640\nheight: 480\nK: [[600.5, 0, 310], [0, 610.25, 250.75], [0, 0, 1]]",
        "{fx: 600.5, fy: 610.25, cx: 310, cy: 250.75, width: 640, height: 480}",
    ],
)
def test_other_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert load_intrinsics(tmp_path / "a.yaml", SIZE) == CALIBRATED


def test_scaled_picture_sees_the_same_rays(tmp_path: Path) -> None:
    """A point that falls on the corner of the calibrated picture falls on the corner of the scaled one."""
    save_intrinsics(tmp_path / "a.json", CALIBRATED, SIZE)
    scaled = load_intrinsics(tmp_path / "a.json", (1280, 960))
    for corner, scaled_corner in (([-0.5, -0.5], [-0.5, -0.5]), ([639.5, 479.5], [1279.5, 959.5])):
        point = backproject(np.array(corner), np.array(500.0), CALIBRATED)
        np.testing.assert_allclose(project(point, scaled), scaled_corner, atol=1e-9)


def test_other_aspect_ratio_is_refused(tmp_path: Path) -> None:
    save_intrinsics(tmp_path / "a.json", CALIBRATED, SIZE)
    for size_px in ((1280, 720), (480, 640)):
        with pytest.raises(UserError, match="calibrated for 640x480"):
            load_intrinsics(tmp_path / "a.json", size_px)
    load_intrinsics(tmp_path / "a.json", (641, 480))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"fx": 0.6}, "focal"),
        ({"fx": -600}, "focal"),
        ({"fy": 1e9}, "focal"),
        ({"fy": 1800}, "focal"),
        ({"cx": -3}, "principal point"),
        ({"cy": 4000}, "principal point"),
        ({"cx": math.nan}, "finite"),
        ({"width": 0}, "picture of 0x480"),
        ({"height": "tall"}, "no number"),
        ({"fx": [1]}, "no number"),
        ({"fx": None}, "no number"),
        ({"camera_matrix": [1, 2, 3]}, "3x3"),
        ({"camera_matrix": {"rows": 3}}, "lacks 'data'"),
        ({"distortion_coefficients": [0.1, 0.2, 0.3]}, "3 distortion coefficients"),
        ({"distortion_coefficients": ["a", 0, 0, 0]}, "no number"),
        ({"distortion_coefficients": [math.nan, 0, 0, 0]}, "folds"),
        ({"distortion_coefficients": [-4.0, 0, 0, 0]}, "folds"),
        ({"distortion_model": "double_sphere", "D": [0.1, 0, 0, 0]}, "lens model double_sphere"),
        ({"camera_model": "omni", "distortion_model": "radtan", "D": [0.1, 0, 0, 0]}, "lens model omni"),
        ({"xi": 1.2, "D": [0.1, 0, 0, 0]}, "omnidirectional"),
        ({"fisheye_model": 1, "D": [0.1, 0, 0, 0, 0]}, "5 distortion coefficients; OpenCV's fisheye model has 4"),
        ({"distortion_model": "equidistant", "D": [-2.0, 0, 0, 0]}, "folds"),
        ({"distortion_model": "equidistant", "D": [math.nan, 0, 0, 0]}, "folds"),
        ({"roi": {"x_offset": 0, "y_offset": 120, "width": 640, "height": 240}}, "region of interest"),
        ({"binning_x": 2, "binning_y": 2}, "binning"),
    ],
)
def test_nonsense(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    tree = {"fx": 600, "fy": 600, "cx": 320, "cy": 240, "width": 640, "height": 480} | changes
    (tmp_path / "a.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=problem) as caught:
        load_intrinsics(tmp_path / "a.json", SIZE)
    assert str(caught.value).startswith(str(tmp_path / "a.json"))


NUMBERS = "[600.5, 0, 310, 0, 610.25, 250.75, 0, 0, 1]"
ECHO = f"""header:
  stamp: {{sec: 1718500617, nanosec: 444867328}}
  frame_id: camera
height: 480
width: 640
distortion_model: plumb_bob
d: [0.1, -0.2, 0.0, 0.0, 0.0]
k: {NUMBERS}
roi: {{x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}}
---
"""
XML = """<?xml version="1.0"?>
<opencv_storage>
<image_width>640</image_width>
<image_height>480</image_height>
<camera_matrix type_id="opencv-matrix"><rows>3</rows><cols>3</cols><dt>d</dt>
  <data>600.5 0. 310. 0. 610.25
    250.75 0. 0. 1.</data></camera_matrix>
<distortion_coefficients type_id="opencv-matrix"><rows>5</rows><cols>1</cols><dt>d</dt>
  <data>0.1 -0.2 0. 0. 0.</data></distortion_coefficients>
</opencv_storage>
"""
REALSENSE = {
    **{"width": 640, "height": 480, "ppx": 310.0, "ppy": 250.75, "fx": 600.5, "fy": 610.25},
    **{"model": "distortion.brown_conrady", "coeffs": [0.1, -0.2, 0, 0, 0]},
}
OTHER_TOOLS = {
    "ROS 2's topic echo": ("a.yaml", ECHO),
    "ROS 1's, twice": ("a.yaml", ECHO.replace("d:", "D:").replace("k:", "K:") * 2),
    "ROS without commas": (
        "a.yaml",
        f"image_width: 640\nimage_height: 480\ncamera_matrix: {{data: {NUMBERS}}}\n"
        "distortion_model: plumb_bob\ndistortion_coefficients: {data: [0.1 -0.2 0.0 0.0 0.0]}\n",
    ),
    "OpenCV's interactive calibration": (
        "a.yml",
        "%YAML:1.0\n---\ncameraResolution: [ 640, 480 ]\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n"
        f"   dt: d\n   data: {NUMBERS}\ndistortion_coefficients: !!opencv-matrix\n   rows: 1\n   cols: 5\n"
        "   dt: d\n   data: [ 0.1, -0.2, 0., 0., 0. ]\n",
    ),
    "OpenCV's XML": ("a.xml", XML),
    "RealSense": ("a.json", json.dumps(REALSENSE)),
    "Kalibr": (
        "a.yaml",
        "cam0:\n  camera_model: pinhole\n  distortion_model: radtan\n  distortion_coeffs: [0.1, -0.2, 0.0, 0.0]\n"
        "  intrinsics: [600.5, 610.25, 310.0, 250.75]\n  resolution: [640, 480]\n",
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("tool", OTHER_TOOLS)
def test_what_other_tools_write(tmp_path: Path, tool: str, encoding: str) -> None:
    name, text = OTHER_TOOLS[tool]
    (tmp_path / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert load_intrinsics(tmp_path / name, SIZE) == replace(CALIBRATED, distortion=(0.1, -0.2, 0, 0))


def test_two_cameras_in_a_file_are_not_guessed_from(tmp_path: Path) -> None:
    one = OTHER_TOOLS["Kalibr"][1]
    (tmp_path / "a.yaml").write_text(one + one.replace("cam0", "cam1"))
    with pytest.raises(UserError, match=r"several cameras \(cam0, cam1\)"):
        load_intrinsics(tmp_path / "a.yaml", SIZE)


FISHEYE = Intrinsics(286.2, 286.0, 319.5, 241.8, distortion=(-0.0093, 0.0162, -0.0134, 0.002), lens_model="fisheye")
FISHEYE_MATRIX = np.array([[286.2, 0, 319.5], [0, 286.0, 241.8], [0, 0, 1]])


@pytest.mark.parametrize(
    "said", ["fisheye_model: 1", "camera_model: equidistant", "distortion_model: equidistant", "fisheye: true"]
)
def test_a_fisheye_is_known_whoever_says_so(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.yaml").write_text(
        f"image_width: 640\nimage_height: 480\n{said}\nK: {FISHEYE_MATRIX.ravel().tolist()}\n"
        f"D: {list(FISHEYE.distortion)}\n"
    )
    assert load_intrinsics(tmp_path / "a.yaml", SIZE) == FISHEYE
    save_intrinsics(tmp_path / "own.json", FISHEYE, SIZE)
    assert load_intrinsics(tmp_path / "own.json", SIZE) == FISHEYE


def test_a_fisheye_shows_points_where_opencv_says() -> None:
    """Every pixel of the picture, up to 80 degrees off the axis: to rays and back, and as OpenCV projects them."""
    x, y = np.meshgrid(np.linspace(0, 639, 17), np.linspace(0, 479, 13))
    pixels = np.stack([x, y], axis=-1)
    points = backproject(pixels, np.full(x.shape, 500.0), FISHEYE)
    np.testing.assert_allclose(project(points, FISHEYE), pixels, atol=1e-6)
    shown, _ = cv2.fisheye.projectPoints(
        points.reshape(1, -1, 3), np.zeros(3), np.zeros(3), FISHEYE_MATRIX, np.array(FISHEYE.distortion)
    )
    np.testing.assert_allclose(shown[0], pixels.reshape(-1, 2), atol=1e-6)
    steepest = np.degrees(np.arctan(np.hypot(points[..., 0], points[..., 1]) / 500.0)).max()
    assert 75 < steepest < 85
    pinhole = backproject(pixels, np.full(x.shape, 500.0), replace(FISHEYE, lens_model="pinhole"))
    assert np.linalg.norm(pinhole - points, axis=-1).max() > 1000, "and it is far from what a pinhole would say"


@given(st.tuples(*[st.floats(-0.3, 0.3)] * 4), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_a_fisheye_stays_finite_and_keeps_directions(lens: tuple[float, ...], x: float, y: float) -> None:
    camera = replace(FISHEYE, distortion=lens)
    point = backproject(np.array([x, y]), np.array(500.0), camera)
    assert np.isfinite(point).all()
    assert np.hypot(point[0], point[1]) <= 500 * np.tan(np.radians(85)) * 1.0001
    direction = np.array([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy])
    assert point[:2] @ direction >= 0
    again = backproject(project(point, camera), np.array(500.0), camera)
    np.testing.assert_allclose(again, point, rtol=1e-3, atol=1e-3)


def test_what_is_no_calibration(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "broken.json").write_text('{"fx": ')
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "object.yaml").write_text("!!python/object/apply:os.system ['true']")
    (tmp_path / "lacks.yaml").write_text("fx: 600\nfy: 600\ncx: 320\ncy: 240\n")
    (tmp_path / "large.yaml").write_bytes(b" " * 2_000_000)
    for name in ("list.yaml", "broken.json", "binary.yaml", "object.yaml", "lacks.yaml", "large.yaml", "none", "."):
        with pytest.raises(UserError, match="calibration"):
            load_intrinsics(tmp_path / name, SIZE)
    with pytest.raises(UserError, match="cannot be written"):
        save_intrinsics(tmp_path / "list.yaml" / "a.json", CALIBRATED, SIZE)


def test_settings_choose(tmp_path: Path) -> None:
    save_intrinsics(tmp_path / "a.json", CALIBRATED, SIZE)
    file = str(tmp_path / "a.json")
    chosen = {
        source: resolve_intrinsics(IntrinsicsSettings(source=source, fov_deg=60, file=file), SIZE)
        for source in ("fov", "normalised", "file")
    }
    assert chosen["file"] == CALIBRATED
    assert chosen["normalised"].fx == 1500
    assert chosen["fov"].fx == pytest.approx(320 * math.sqrt(3))


@pytest.mark.parametrize("distortion", [(), (-0.31, 0.12, 0.001, -0.002), (-0.31, 0.12, 0.001, -0.002, -0.02)])
def test_a_distorted_lens_is_undone_at_the_points(tmp_path: Path, distortion: tuple[float, ...]) -> None:
    """Saved and loaded, then: pixels of the whole picture -> rays -> the same pixels, as OpenCV projects them."""
    lens = replace(CALIBRATED, distortion=distortion)
    save_intrinsics(tmp_path / "a.json", lens, SIZE)
    assert load_intrinsics(tmp_path / "a.json", SIZE) == lens
    x, y = np.meshgrid(np.linspace(0, 639, 9), np.linspace(0, 479, 7))
    pixels = np.stack([x, y], axis=-1)
    points = backproject(pixels, np.full(x.shape, 500.0), lens)
    np.testing.assert_allclose(project(points, lens), pixels, atol=0.01)
    shown, _ = cv2.projectPoints(points.reshape(-1, 3), np.zeros(3), np.zeros(3), MATRIX, np.array(distortion))
    np.testing.assert_allclose(shown[:, 0], pixels.reshape(-1, 2), atol=0.01)


def test_what_a_distorted_square_would_be() -> None:
    """A barrel lens shows what is near the edge smaller: RootNet's square is measured as it would be without."""
    lens = replace(CALIBRATED, distortion=(-0.3, 0.1, 0.0, 0.0))
    assert undistorted_side_px((320, 240), 60, CALIBRATED) == 60
    assert undistorted_side_px((310, 250), 60, lens) == pytest.approx(60, rel=0.01)
    corner = backproject(np.array([[560.0, 60.0], [580.0, 60.0], [560.0, 80.0]]), np.ones(3), lens)
    area = np.linalg.det((corner[1:] - corner[0])[:, :2]) * lens.fx * lens.fy
    assert undistorted_side_px((570, 70), 40, lens) == pytest.approx(2 * np.sqrt(area), rel=0.01)
    assert area > 1.2 * 20**2


def test_points_far_outside_the_picture_stay_finite() -> None:
    lens = replace(CALIBRATED, distortion=(-0.3, 0.1, 0.0, 0.0))
    pixels = np.array([[-4000.0, 9000.0], [1e6, 0.0], [320.0, 240.0]])
    assert np.isfinite(backproject(pixels, np.ones(3), lens)).all()
    assert backproject(np.zeros((0, 2)), np.zeros(0), lens).shape == (0, 3)


def test_a_calibration_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UserError, match=r"cannot be read .*realtime\.calibrate"):
            load_intrinsics(path, (640, 480))

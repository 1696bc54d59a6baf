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
from realtime.camera_space.intrinsics import (
    intrinsics_from_fov,
    load_intrinsics,
    normalised_intrinsics,
    resolve_intrinsics,
    save_intrinsics,
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
        ({"distortion_model": "equidistant", "D": [0.1, 0, 0, 0]}, "lens model equidistant"),
    ],
)
def test_nonsense(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    tree = {"fx": 600, "fy": 600, "cx": 320, "cy": 240, "width": 640, "height": 480} | changes
    (tmp_path / "a.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=problem) as caught:
        load_intrinsics(tmp_path / "a.json", SIZE)
    assert str(caught.value).startswith(str(tmp_path / "a.json"))


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

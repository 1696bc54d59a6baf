"""Intrinsics from a field of view, from the paper, and from calibration files of several tools."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import UserError
from engines.pinhole import Intrinsics, backproject, project
from realtime.config import IntrinsicsSettings
from realtime.intrinsics import (
    intrinsics_from_fov,
    load_intrinsics,
    normalised_intrinsics,
    resolve_intrinsics,
    save_intrinsics,
)

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
def test_files_that_opencv_writes(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    storage = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", MATRIX)
    storage.write("distortion_coefficients", np.array([[0.1, -0.2, 0, 0, 0]]))
    storage.release()
    assert load_intrinsics(tmp_path / name, SIZE) == CALIBRATED
    assert "distortion is not corrected" in caplog.text


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

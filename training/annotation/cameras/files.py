"""Files of calibrated cameras: the TOML of aniposelib, Pose2Sim, Caliscope and FreeMoCap; Caliscope's own form.

One table a camera: `name`, `size` (width, height), `matrix` 3x3, `distortions`, `rotation` (Rodrigues vector, or 3x3 in
Caliscope's own), `translation`; camera from world. aniposelib and FreeMoCap give lengths in the board's unit, usually
mm, Pose2Sim and Caliscope in metres: no file says which, so ours does (`metadata.unit`), and others need `--unit`.
Also the two-camera folders of python_stereo_camera_calibrate (`c0.dat`, `rot_trans_c0.dat`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from engines.errors import UserError
from engines.files import in_one_step
from engines.geometry.distortion import COUNTS, trimmed
from engines.geometry.pinhole import Intrinsics
from realtime.camera_space.intrinsics import checked
from training.annotation.cameras.camera import Camera, Rig, spread_mm
from training.annotation.cameras.toml_text import read_toml, toml_text

UNITS_MM: Final = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}
_ORTHOGONAL: Final = 1e-3
_NUMBER: Final = re.compile(r"(?<![\w.])[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?(?![\w.])")


def load_cameras(path: Path, unit: str | None = None, sizes_px: Sequence[tuple[int, int]] = ()) -> Rig:
    """The cameras of a file, lengths in millimetres; ignored ones of Caliscope are left out.

    `unit` (mm, cm, m, inch, or a number of mm) is what the file's lengths are in where it does not say so itself.
    `sizes_px` of the videos are for files that tell no size. Raises UserError naming the camera and what is
    wrong with it.
    """
    if path.is_dir():
        return _of_folder(path, _scale(unit, "--unit") if unit else None, sizes_px)
    tree = read_toml(path)
    own_form = isinstance(tree.get("cameras"), dict)
    tables = tree["cameras"] if own_form else {k: v for k, v in tree.items() if k != "metadata"}
    named = {str(key): table for key, table in tables.items() if isinstance(table, dict) and "matrix" in table}
    used = {key: table for key, table in named.items() if not table.get("ignore", False)}
    if not used:
        raise UserError(
            f"{path}: no camera there; each is a table with size, matrix, distortions, rotation, translation"
        )
    said = tree.get("metadata", {}).get("unit") if isinstance(tree.get("metadata"), dict) else None
    said = "m" if said is None and own_form else said
    return _rig(path, used, said if unit is None else unit)


def save_cameras(path: Path, rig: Sequence[Camera], unit: str = "mm", notes: Mapping[str, Any] | None = None) -> None:
    """Write cameras for aniposelib and FreeMoCap (`unit` mm) or Pose2Sim (m); what is read back is the same.

    Raises UserError if the file cannot be written.
    """
    tables: dict[str, dict[str, Any]] = {}
    for k, camera in enumerate(rig):
        tables[f"cam_{k}"] = {
            "name": camera.name,
            "size": list(camera.size_px),
            "matrix": camera.matrix.tolist(),
            "distortions": list(
                (*camera.intrinsics.distortion, *(0.0,) * 5)[: max(5, len(camera.intrinsics.distortion))]
            ),
            "rotation": cv2.Rodrigues(camera.camera_from_world)[0].ravel().tolist(),
            "translation": (camera.translation_mm / _scale(unit, "unit")).tolist(),
            "fisheye": False,
            "rotation_count": camera.quarter_turns,
        }
    tables["metadata"] = {"adjusted": True, "unit": unit, **(notes or {})}
    try:
        with in_one_step(path) as unfinished:
            unfinished.write_text(toml_text(tables), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: the cameras cannot be written ({error.strerror})") from error


def _rig(path: Path, tables: Mapping[str, Mapping[str, Any]], unit: str | None) -> Rig:
    scale = _scale(unit, str(path)) if unit else 1.0
    rig = tuple(_camera(f"{path}: camera {key}", key, table, scale) for key, table in tables.items())
    if unit is None:
        apart = spread_mm(rig)
        raise UserError(
            f"{path}: does not say in what its lengths are, and its cameras stand {apart:.3g} apart: add --unit "
            "mm (aniposelib, FreeMoCap) or --unit m (Pose2Sim)"
        )
    names = [camera.name for camera in rig]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{path}: two cameras are called {twice[0]}; give each a name of its own")
    return rig


def _camera(where: str, key: str, table: Mapping[str, Any], scale: float) -> Camera:
    if table.get("fisheye", False):
        raise UserError(f"{where}: fisheye lenses are not known here; use the step calibrate")
    for name in ("size", "matrix", "rotation", "translation"):
        if table.get(name) is None:
            raise UserError(f"{where} has no {name}: calibrate it together with the others")
    try:
        width, height = (round(float(v)) for v in table["size"])
        matrix = np.asarray(table["matrix"], np.float64).reshape(3, 3)
        lens = np.asarray(table.get("distortions", []), np.float64).ravel()
        rotation = np.asarray(table["rotation"], np.float64)
        translation = np.asarray(table["translation"], np.float64).reshape(3) * scale
        turns = int(table.get("rotation_count", 0)) % 4
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{where} holds something that is no number or not of the right shape") from error
    if len(lens) not in (0, 1, *COUNTS):
        raise UserError(f"{where} has {len(lens)} distortion coefficients; OpenCV's models have 4, 5, 8, 12 or 14")
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    # A lens model that folds over at the picture's edge is taken: hands are in its middle, and people have such files.
    plain = checked(Intrinsics(fx, fy, cx, cy), (width, height), where)
    intrinsics = replace(plain, distortion=trimmed(lens.tolist()))
    turn = _rotation(where, rotation)
    if not np.isfinite(translation).all():
        raise UserError(f"{where} stands nowhere: its translation is not finite")
    return Camera(str(table.get("name", f"cam_{key}")), (width, height), intrinsics, turn, translation, turns)


def _rotation(where: str, values: np.ndarray) -> np.ndarray:
    """(3, 3) of a Rodrigues vector or a matrix."""
    turn = cv2.Rodrigues(values.reshape(3))[0] if values.size == 3 else values
    whole = turn.size == 9 and bool(np.isfinite(turn).all())
    turn = turn.reshape(3, 3) if whole else np.zeros((3, 3))
    if np.abs(turn @ turn.T - np.eye(3)).max() > _ORTHOGONAL:
        raise UserError(f"{where} has a rotation that is none: a vector of 3, or an orthogonal matrix, is wanted")
    if np.linalg.det(turn) < 0:
        raise UserError(f"{where} is mirrored (its rotation turns right into left): undo that in the recording program")
    return np.asarray(turn, np.float64)


def _scale(unit: str, where: str) -> float:
    if unit in UNITS_MM:
        return UNITS_MM[unit]
    try:
        scale = float(unit)
    except ValueError:
        scale = 0.0
    if not 0 < scale < 1e6:
        raise UserError(f"{where}: unit {unit!r} is unknown; take {', '.join(UNITS_MM)}, or a number of millimetres")
    return scale


def _of_folder(folder: Path, scale: float | None, sizes_px: Sequence[tuple[int, int]]) -> Rig:
    """`c0.dat`, `rot_trans_c0.dat`, ...: matrix, distortion; first R and T."""
    lenses = sorted(folder.glob("c[0-9]*.dat"))
    if not lenses:
        raise UserError(f"{folder}: is a folder without c0.dat and rot_trans_c0.dat; name the file of cameras")
    if scale is None:
        raise UserError(f"{folder}: does not say how long its unit, a square of the board, is: add --unit MM")
    if len(sizes_px) != len(lenses):
        raise UserError(f"{folder}: holds {len(lenses)} cameras; name a video for each")
    rig = []
    for lens, size in zip(lenses, sizes_px, strict=True):
        k, place = _numbers(lens), _numbers(folder / f"rot_trans_{lens.name}")
        if len(k) < 13 or len(place) < 12:
            raise UserError(f"{lens}: no camera as python_stereo_camera_calibrate writes it")
        table = {
            "size": size,
            "matrix": k[:9],
            "distortions": k[9:14],
            "rotation": place[:9],
            "translation": place[9:12],
        }
        rig.append(_camera(str(lens), lens.stem.removeprefix("c"), table, scale))
    return tuple(rig)


def _numbers(path: Path) -> list[float]:
    try:
        return [
            float(v) for v in re.findall(r"(?<![\w.])[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?(?![\w.])", path.read_text("utf-8"))
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read") from error

"""Where the camera's intrinsics come from: field of view, the paper's normalised ones, or a calibration file.

Any thread. Only depth depends on the focal length; what is lateral in millimetres does not, once depth is right.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from engines.errors import UserError
from engines.geometry.distortion import COUNTS, distorted, trimmed, undistorted
from engines.geometry.pinhole import Intrinsics
from realtime.config import IntrinsicsSettings

NORMALISED_FOCAL_PX: Final = 1500.0
"""RootNet's stand-in for unknown intrinsics (Moon et al. 2019)."""
ASPECT_TOLERANCE: Final = 0.01
MAX_FILE_BYTES: Final = 1 << 20
_DISTORTION_NAMES: Final = ("distortion_coefficients", "distCoeffs", "dist_coeffs", "distortion", "D")
_MODELS: Final = ("plumb_bob", "rational_polynomial")
"""ROS's names of OpenCV's models."""
_EDGE_STEPS: Final = 9
_BENT_PX: Final = 0.5
"""So far a pixel of the picture's edge may be off after undistorting and distorting it."""


def resolve_intrinsics(settings: IntrinsicsSettings, size_px: tuple[int, int]) -> Intrinsics:
    """Intrinsics for pictures of `size_px` (width, height), as the settings ask. Raises UserError for a bad file."""
    if settings.source == "file":
        if settings.file is None:
            raise UserError("intrinsics.source is 'file': name the calibration with --set intrinsics.file=...")
        return load_intrinsics(Path(settings.file), size_px)
    if settings.source == "normalised":
        return normalised_intrinsics(size_px)
    return intrinsics_from_fov(settings.fov_deg, size_px)


def intrinsics_from_fov(fov_deg: float, size_px: tuple[int, int]) -> Intrinsics:
    """Square pixels, principal point at the centre, `fov_deg` across the longer side of the picture.

    That side is the width, but for a phone held upright, where a camera's horizontal angle lies along the height.
    """
    focal_px = max(size_px) / 2 / math.tan(math.radians(fov_deg) / 2)
    return _centred(focal_px, size_px)


def normalised_intrinsics(size_px: tuple[int, int]) -> Intrinsics:
    """Focal length 1500 px, principal point at the centre: depths are then right up to a common factor."""
    return _centred(NORMALISED_FOCAL_PX, size_px)


def load_intrinsics(path: Path, size_px: tuple[int, int]) -> Intrinsics:
    """Read a calibration (YAML or JSON) and scale it to pictures of `size_px` (width, height).

    Understood: `fx, fy, cx, cy, width, height` as `save_intrinsics` writes them, and what OpenCV and ROS write:
    `camera_matrix` (or `cameraMatrix`, `K`) with `image_width, image_height`; each with `distortion_coefficients` (or
    `distCoeffs`, `D`) where the lens distorts. Raises UserError if the file cannot be read, makes no sense, is of a
    fisheye model, or belongs to pictures of another aspect ratio.
    """
    tree = _read(path)
    intrinsics, calibrated_px = _parse(tree, path)
    checked(intrinsics, calibrated_px, str(path))
    scale_x, scale_y = size_px[0] / calibrated_px[0], size_px[1] / calibrated_px[1]
    if abs(scale_x / scale_y - 1) > ASPECT_TOLERANCE:
        raise UserError(
            f"{path}: calibrated for {calibrated_px[0]}x{calibrated_px[1]} pictures, which {size_px[0]}x{size_px[1]} "
            "ones are no scaled copy of; calibrate at this size or use --set intrinsics.source=fov"
        )
    return Intrinsics(
        fx=intrinsics.fx * scale_x,
        fy=intrinsics.fy * scale_y,
        cx=(intrinsics.cx + 0.5) * scale_x - 0.5,
        cy=(intrinsics.cy + 0.5) * scale_y - 0.5,
        distortion=intrinsics.distortion,
    )


def save_intrinsics(
    path: Path, intrinsics: Intrinsics, size_px: tuple[int, int], notes: Mapping[str, object] | None = None
) -> None:
    """Write a calibration of pictures of `size_px` (width, height) as JSON, which is YAML too.

    `notes` are further JSON values, which no reader needs. Missing folders are created; raises UserError if the file
    cannot be written.
    """
    i = intrinsics
    tree: dict[str, object] = {"fx": i.fx, "fy": i.fy, "cx": i.cx, "cy": i.cy, "width": size_px[0]}
    tree |= {"height": size_px[1], "distortion_coefficients": list(i.distortion), **(notes or {})}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: the calibration cannot be written ({error.strerror})") from error


def _centred(focal_px: float, size_px: tuple[int, int]) -> Intrinsics:
    # Pixel centres are whole numbers, so the middle of the picture lies at (width - 1) / 2.
    return Intrinsics(focal_px, focal_px, (size_px[0] - 1) / 2, (size_px[1] - 1) / 2)


class _Loader(yaml.SafeLoader):
    """The safe subset, and OpenCV's matrices as the plain mappings they are."""


def _matrix_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix_mapping)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(f"{path}: too large for a calibration file")
        text = path.read_text(encoding="utf-8")
        # OpenCV's first line "%YAML:1.0" is not what YAML demands ("%YAML 1.0").
        text = text.partition("\n")[2] if text.startswith("%YAML:") else text
        tree = json.loads(text) if path.suffix.lower() == ".json" else _Loader(text).get_single_data()
    except OSError as error:
        raise UserError(f"{path}: the calibration cannot be read ({error.strerror})") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: is no calibration in YAML or JSON") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path}: is no calibration; it needs fx, fy, cx, cy, width, height or a camera_matrix")
    return tree


def _parse(tree: dict[str, Any], path: Path) -> tuple[Intrinsics, tuple[int, int]]:
    """Intrinsics and the (width, height) they were calibrated at."""
    try:
        name = next((k for k in ("camera_matrix", "cameraMatrix", "K") if k in tree), None)
        if name is not None:
            k = _matrix(tree[name])
            numbers = [k[0, 0], k[1, 1], k[0, 2], k[1, 2]]
        else:
            numbers = [tree[key] for key in ("fx", "fy", "cx", "cy")]
        fx, fy, cx, cy = (float(v) for v in numbers)
        width, height = (tree[key] if key in tree else tree[f"image_{key}"] for key in ("width", "height"))
        size_px = int(width), int(height)
        distortion = _distortion(tree, path)
    except KeyError as error:
        raise UserError(
            f"{path}: the calibration lacks {error}; it needs fx, fy, cx, cy or a camera_matrix, and width, height"
        ) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: the calibration holds something that is no number or no 3x3 matrix") from error
    return Intrinsics(fx, fy, cx, cy, distortion=distortion), size_px


def _distortion(tree: dict[str, Any], path: Path) -> tuple[float, ...]:
    """The lens's coefficients; none if the file has none or only zeros."""
    model = tree.get("distortion_model")
    if model is not None and model not in _MODELS:
        raise UserError(
            f"{path}: the lens model {model} is not known here; calibrate with python -m realtime.calibrate"
        )
    node: Any = next((tree[k] for k in _DISTORTION_NAMES if tree.get(k) is not None), [])
    values = np.asarray(node["data"] if isinstance(node, dict) else node, dtype=np.float64).ravel()
    if len(values) > 0 and len(values) not in COUNTS:
        raise UserError(f"{path}: {len(values)} distortion coefficients; OpenCV's models have 4, 5, 8, 12 or 14")
    return trimmed(values.tolist())


def _matrix(node: Any) -> np.ndarray:
    """Nested lists, nine numbers, or OpenCV's and ROS's mapping with `data`, as a 3x3 matrix."""
    return np.asarray(node["data"] if isinstance(node, dict) else node, dtype=np.float64).reshape(3, 3)


def checked(intrinsics: Intrinsics, size_px: tuple[int, int], name: str) -> Intrinsics:
    """The same, unless no camera has such: metres for pixels, a transposed matrix. Raises UserError naming `name`."""
    width, height = size_px
    i = intrinsics
    longer = max(size_px)
    if min(size_px) < 1:
        problem = f"a picture of {width}x{height}"
    elif not all(math.isfinite(v) for v in (i.fx, i.fy, i.cx, i.cy)):
        problem = "numbers that are not finite"
    elif not all(0.04 * longer < f < 20 * longer for f in (i.fx, i.fy)) or not 0.5 < i.fx / i.fy < 2:
        problem = f"focal lengths of {i.fx:g} and {i.fy:g} px for a picture {longer} px long"
    elif not (0 <= i.cx <= width and 0 <= i.cy <= height):
        problem = f"a principal point ({i.cx:g}, {i.cy:g}) outside the picture"
    elif i.distortion and not _invertible(i, size_px):
        problem = "a distortion that folds the picture's edge over"
    else:
        return intrinsics
    raise UserError(f"{name}: the calibration makes no sense: {problem}")


def _invertible(intrinsics: Intrinsics, size_px: tuple[int, int]) -> bool:
    """Whether every pixel of the picture's edge belongs to one line of sight, further out than those inside."""
    i = intrinsics
    along = np.linspace(0, 1, _EDGE_STEPS)
    zero = np.zeros(_EDGE_STEPS)
    x = np.concatenate([along, along, zero, zero + 1]) * (size_px[0] - 1)
    y = np.concatenate([zero, zero + 1, along, along]) * (size_px[1] - 1)
    shown_x, shown_y = (x - i.cx) / i.fx, (y - i.cy) / i.fy
    ray_x, ray_y = undistorted(shown_x, shown_y, i.distortion)
    again_x, again_y = distorted(ray_x, ray_y, i.distortion)
    inner_x, inner_y = distorted(0.98 * ray_x, 0.98 * ray_y, i.distortion)
    off_px = np.hypot((again_x - shown_x) * i.fx, (again_y - shown_y) * i.fy)
    return bool((off_px < _BENT_PX).all() and (np.hypot(inner_x, inner_y) < np.hypot(again_x, again_y)).all())

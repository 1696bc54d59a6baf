"""Where the camera's intrinsics come from: field of view, the paper's normalised ones, or a calibration file.

Any thread. Only depth depends on the focal length; what is lateral in millimetres does not, once depth is right.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from engines.errors import UserError
from engines.geometry.distortion import distorted, undistorted
from engines.geometry.fisheye import WIDEST_DEG, widest
from engines.geometry.pinhole import Intrinsics
from realtime.camera_space.calibration_file import load_calibration
from realtime.config import IntrinsicsSettings

NORMALISED_FOCAL_PX: Final = 1500.0
"""RootNet's stand-in for unknown intrinsics (Moon et al. 2019)."""
ASPECT_TOLERANCE: Final = 0.01
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


def load_intrinsics(path: Path | str, size_px: tuple[int, int]) -> Intrinsics:
    """Read a calibration file and scale it to pictures of `size_px` (width, height).

    Raises UserError if the file cannot be read, makes no sense, or belongs to pictures of another aspect ratio.
    """
    path = Path(path)
    intrinsics, calibrated_px = load_calibration(path)
    checked(intrinsics, calibrated_px, str(path))
    scale_x, scale_y = size_px[0] / calibrated_px[0], size_px[1] / calibrated_px[1]
    if abs(scale_x / scale_y - 1) > ASPECT_TOLERANCE:
        raise UserError(
            f"{path}: calibrated for {calibrated_px[0]}x{calibrated_px[1]} pictures, which {size_px[0]}x{size_px[1]} "
            "ones are no scaled copy of; calibrate at this size or use --set intrinsics.source=fov"
        )
    return replace(
        intrinsics,
        fx=intrinsics.fx * scale_x,
        fy=intrinsics.fy * scale_y,
        cx=(intrinsics.cx + 0.5) * scale_x - 0.5,
        cy=(intrinsics.cy + 0.5) * scale_y - 0.5,
    )


def _centred(focal_px: float, size_px: tuple[int, int]) -> Intrinsics:
    # Pixel centres are whole numbers, so the middle of the picture lies at (width - 1) / 2.
    return Intrinsics(focal_px, focal_px, (size_px[0] - 1) / 2, (size_px[1] - 1) / 2)


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
    elif i.lens_model == "fisheye" and not _reaches_edge(i, size_px):
        problem = "a fisheye lens that folds the picture over"
    elif i.lens_model == "pinhole" and i.distortion and not _invertible(i, size_px):
        problem = "a distortion that folds the picture's edge over"
    else:
        return intrinsics
    raise UserError(f"{name}: the calibration makes no sense: {problem}")


def _reaches_edge(intrinsics: Intrinsics, size_px: tuple[int, int]) -> bool:
    """Whether the fisheye's angles grow up to the nearest edge of the picture; its corners are often black."""
    i = intrinsics
    nearest = min(i.cx / i.fx, i.cy / i.fy, (size_px[0] - i.cx) / i.fx, (size_px[1] - i.cy) / i.fy)
    angle, radius = widest(i.distortion)
    return radius >= nearest or angle >= math.radians(WIDEST_DEG)


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

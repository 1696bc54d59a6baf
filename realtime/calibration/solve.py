"""Intrinsics and distortion from views of a board (OpenCV's calibration), with bad views left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.distortion import trimmed
from engines.geometry.pinhole import Intrinsics
from realtime.calibration.board import View

FEWEST_VIEWS: Final = 6
COEFFICIENTS: Final = (0, 4, 5, 8)
"""How many distortion coefficients can be asked for."""
_OUTLIER: Final = 2.5
"""A view is bad if its error is so many times the median, and more than _ALWAYS_GOOD_PX."""
_ALWAYS_GOOD_PX: Final = 0.3


@dataclass(frozen=True)
class Solution:
    """A calibrated camera."""

    intrinsics: Intrinsics
    size_px: tuple[int, int]
    error_px: float
    """Root mean square of the corners' reprojection errors."""
    view_errors_px: dict[str, float]
    """The same for each view that was used."""
    dropped: dict[str, float]
    """Views that were left out, with the errors they had."""
    focal_sigma_px: float
    """Standard deviation of fx, as the corners' errors imply."""


def solve(views: Sequence[View], size_px: tuple[int, int], coefficients: int = 5) -> Solution:
    """Calibrate, leave out views whose error is far above the others', and calibrate again until none is.

    `coefficients` of distortion: 0, 4 (k1, k2, p1, p2), 5 (and k3) or 8 (rational). Raises UserError if there are
    fewer than six views, or OpenCV finds no camera that could have taken them.
    """
    kept = list(views)
    dropped: dict[str, float] = {}
    while True:
        if len(kept) < FEWEST_VIEWS:
            raise UserError(f"{len(kept)} good views of the board are too few; show it in at least {FEWEST_VIEWS}")
        found = _calibrate(kept, size_px, coefficients)
        errors = np.array(list(found.view_errors_px.values()))
        worst = int(errors.argmax())
        if errors[worst] < max(_OUTLIER * float(np.median(errors)), _ALWAYS_GOOD_PX):
            return Solution(**{**vars(found), "dropped": dropped})
        dropped[kept[worst].name] = float(errors[worst])
        del kept[worst]


def _calibrate(views: Sequence[View], size_px: tuple[int, int], coefficients: int) -> Solution:
    board, picture = [v.corners_mm for v in views], [v.corners_px for v in views]
    try:
        error_px, matrix, lens, _, _, deviations, _, view_errors = cv2.calibrateCameraExtended(
            board, picture, size_px, np.eye(3), np.zeros(8 if coefficients == 8 else 5), flags=_flags(coefficients)
        )
    except cv2.error as error:
        raise UserError("no camera fits these views; turn the board in different directions") from error
    intrinsics = _intrinsics(matrix, lens, coefficients)
    if not np.isfinite([*intrinsics.as_array(), *intrinsics.distortion, error_px]).all():
        raise UserError("no camera fits these views; turn the board in different directions")
    per_view = {v.name: float(e) for v, e in zip(views, view_errors.ravel(), strict=True)}
    return Solution(intrinsics, size_px, float(error_px), per_view, {}, float(deviations.ravel()[0]))


def _flags(coefficients: int) -> int:
    if coefficients == 8:
        return int(cv2.CALIB_RATIONAL_MODEL)
    flags = 0 if coefficients == 5 else cv2.CALIB_FIX_K3
    if coefficients == 0:
        flags |= cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_ZERO_TANGENT_DIST
    return int(flags)


def _intrinsics(matrix: NDArray, lens: NDArray, coefficients: int) -> Intrinsics:
    fx, fy, cx, cy = (float(matrix[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Intrinsics(fx, fy, cx, cy, distortion=trimmed(lens.ravel()[:coefficients].tolist()))

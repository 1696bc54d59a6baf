"""A sheet of samples side by side, half of them with their joints drawn: to be looked at (numpy and OpenCV)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import BONES, HAND_SLICES, SIDES

TILE_PX: Final = 240
_FINGER_COLOURS: Final = ((60, 60, 255), (60, 200, 255), (60, 255, 60), (255, 200, 60), (255, 60, 200))
_LEFT_SHADE: Final = 0.55


def contact_sheet(tiles: Sequence[NDArray[np.uint8]], columns: int = 8) -> NDArray[np.uint8]:
    """One BGR picture of equally large tiles, row by row; the last row is filled up with black."""
    blank = np.zeros_like(tiles[0])
    filled = [*tiles, *[blank] * (-len(tiles) % columns)]
    return np.vstack([np.hstack(filled[k : k + columns]) for k in range(0, len(filled), columns)])


def tile(
    rgba: NDArray[np.uint8], joints_cam_mm: NDArray | None, intrinsics: Intrinsics, text: str
) -> NDArray[np.uint8]:
    """(TILE_PX, TILE_PX, 3) BGR of a cut-out on grey with a caption; joints (42, 3), zeros for an absent hand.

    The right hand is drawn bright, the left one dark.
    """
    alpha = rgba[..., 3:].astype(np.float32) / 255
    ramp = np.linspace(150, 90, len(rgba), dtype=np.float32)[:, None, None]
    picture = (rgba[..., 2::-1] * alpha + ramp * (1 - alpha)).astype(np.uint8)
    picture = cv2.resize(picture, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
    if joints_cam_mm is not None:
        for side in SIDES:
            _draw_hand(picture, joints_cam_mm[HAND_SLICES[side]], intrinsics, side == "left", TILE_PX / len(rgba))
    cv2.putText(picture, text, (4, TILE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def _draw_hand(picture: NDArray, joints: NDArray, intrinsics: Intrinsics, dark: bool, scale: float) -> None:
    if not joints.any():
        return
    points = ((project(joints, intrinsics) + 0.5) * scale - 0.5) * 16
    corners = [(int(x), int(y)) for x, y in np.rint(points)]
    shade = _LEFT_SHADE if dark else 1.0
    for child, parent in BONES:
        blue, green, red = (round(v * shade) for v in _FINGER_COLOURS[child // 4])
        cv2.line(picture, corners[parent], corners[child], (blue, green, red), 1, cv2.LINE_AA, 4)
        cv2.circle(picture, corners[child], 28, (blue, green, red), -1, cv2.LINE_AA, 4)

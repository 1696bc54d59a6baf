"""What can be seen of each hand, from the depth under every pixel of its picture (numpy only; any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import SIDES, WRIST, Side

FLESH_MM: Final = np.array([12.0, 14, 17, 24] + 4 * [11.0, 13, 15, 22] + [32.0])
"""(21,) how far under its skin a joint may lie, seen from any side."""


@dataclass(frozen=True)
class Layers:
    """What lies under each pixel of the last picture."""

    depth_mm: NDArray[np.float32]
    """(height, width); 0 where nothing is."""
    owner: NDArray[np.int8]
    """(height, width) -1 nothing, 0 right hand, 1 left hand, each with its arm and what it wears; 2 what hands hold, 3
    what is behind them."""


MASK_PX: Final = 80


def owner_mask(layers: Layers) -> NDArray[np.uint8]:
    """(`MASK_PX`, `MASK_PX`) what the middle of each cell shows: 0 neither hand, 1 right, 2 left, 3 what hands hold.

    Arms and what they wear belong to their hand.
    """
    height, width = layers.owner.shape
    rows, columns = (((np.arange(MASK_PX) + 0.5) / MASK_PX * side).astype(int) for side in (height, width))
    owner = layers.owner[np.ix_(rows, columns)] + 1
    return np.where(owner > 3, 0, owner).astype(np.uint8)


def visible_joints(
    layers: Layers, joints_cam_mm: NDArray, side: Side, intrinsics: Intrinsics, girth: float
) -> NDArray[np.bool_]:
    """(21,) which joints of a hand are covered by nothing but their own flesh; False outside the picture.

    `joints_cam_mm` is (21, 3), `intrinsics` those of the picture that `layers` belong to.
    """
    height, width = layers.depth_mm.shape
    column, row = np.rint(project(joints_cam_mm, intrinsics)).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    owned = layers.owner[row, column] == SIDES.index(side)
    depth = np.linalg.norm(joints_cam_mm, axis=1) - layers.depth_mm[row, column] * _slant(joints_cam_mm)
    return inside & owned & (depth < FLESH_MM * girth)


def hand_shows(visible: NDArray, least_share: float) -> bool:
    """Whether enough of the 21 joints of a hand are visible; the wrist, under a sleeve or not, does not count."""
    return float(np.delete(visible, WRIST).mean()) >= least_share


def _slant(joints_cam_mm: NDArray) -> NDArray[np.float64]:
    """(N,) length of the ray to a joint over its depth."""
    return np.linalg.norm(joints_cam_mm, axis=1) / joints_cam_mm[:, 2]

"""Skeletons as masks: bones of some width, the palm between its corners (OpenCV)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, PARENTS, WRIST

KNUCKLES: Final = list(FINGER_BASES[1:])
"""Where the four fingers begin."""
_SUBPIXEL_BITS: Final = 4


def drawn_bones(
    joints_px: NDArray, children: Iterable[int], width_px: float, canvas: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The bones that end at these of (21, 2) joints, 255 on a canvas (P, P), which is changed."""
    fixed = _fixed(joints_px)
    for child in children:
        ends = fixed[child].tolist(), fixed[PARENTS[child]].tolist()
        cv2.line(canvas, *ends, 255, max(1, round(width_px)), cv2.LINE_8, _SUBPIXEL_BITS)
    return canvas


def drawn_palm(joints_px: NDArray, side_px: int) -> NDArray[np.uint8]:
    """(P, P) 255 between the wrist and where the five fingers begin."""
    return drawn_hull(joints_px[[WRIST, *FINGER_BASES]], side_px)


def drawn_hull(points_px: NDArray, side_px: int) -> NDArray[np.uint8]:
    """(P, P) 255 in the convex hull of (N, 2) points."""
    canvas = blank(side_px)
    cv2.fillConvexPoly(canvas, cv2.convexHull(_fixed(points_px)), 255, cv2.LINE_8, _SUBPIXEL_BITS)
    return canvas


def blank(side_px: int) -> NDArray[np.uint8]:
    """(P, P) zeros."""
    return np.zeros((side_px, side_px), np.uint8)


def _fixed(points_px: NDArray) -> NDArray[np.int32]:
    return np.round(points_px * 2**_SUBPIXEL_BITS).astype(np.int32)

"""Who lies in front where two hands cover each other: by chance, finger by finger, or by depths (numpy, OpenCV)."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONES, FINGER_BASES
from training.composed.cutouts import Cutout
from training.composed.drawing import blank, drawn_bones, drawn_palm

_INTERLACED, _FIRST_ABOVE = 0.4, 0.25
"""Chances that each finger of the first hand is in front or behind by itself, and that the whole hand is in front."""
_ALONG: Final = np.linspace(0, 1, 5)
"""Points of a bone whose depths are taken."""
_MAP_PX: Final = 96
"""Side of the map in which depths are compared: a fifth of a finger's width in the picture."""
_SOFT_PX: Final = 0.7


def in_front_by_chance(first: Cutout, rng: np.random.Generator) -> NDArray[np.float32]:
    """(P, P) 1 where the first hand lies in front of the second: nowhere, everywhere, or at some of its fingers."""
    dice = rng.random()
    if dice >= _INTERLACED:
        return np.full(first.alpha.shape, float(dice < _INTERLACED + _FIRST_ABOVE), np.float32)
    fingers = rng.random(len(FINGER_BASES)) < 0.5
    return _soft(np.isin(_parts(first), np.nonzero(fingers)[0]))


def in_front_by_depth(
    joints_px: tuple[NDArray, NDArray], depth_mm: tuple[NDArray, NDArray], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """(H, W) 1 where the first of two hands is nearer to the camera; of each (21, 2) joints and (21,) depths.

    A hand is as far at a pixel as that point of its bones which lies nearest to it in the picture.
    """
    height, width = shape
    scale = np.array([_MAP_PX / width, _MAP_PX / height])
    first, second = (
        _depth_map((joints + 0.5) * scale - 0.5, depth) for joints, depth in zip(joints_px, depth_mm, strict=True)
    )
    nearer = (first < second).astype(np.float32)
    return _soft(cv2.resize(nearer, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)


def _depth_map(joints: NDArray, depth: NDArray) -> NDArray[np.float64]:
    """(_MAP_PX, _MAP_PX) depth of the nearest point of the bones."""
    ends = np.array(BONES)
    along = _ALONG[:, None, None]
    points = ((1 - along) * joints[ends[:, 0]] + along * joints[ends[:, 1]]).reshape(-1, 2)
    depths = ((1 - along[..., 0]) * depth[ends[:, 0]] + along[..., 0] * depth[ends[:, 1]]).reshape(-1)
    places = np.arange(_MAP_PX)
    squared = (places[None, :, None] - points[:, 0]) ** 2 + (places[:, None, None] - points[:, 1]) ** 2
    return np.asarray(depths[squared.argmin(-1)])


def _parts(hand: Cutout) -> NDArray[np.int64]:
    """(P, P) which finger is the nearest one, 0 thumb to 4 little finger, or 5: palm and arm."""
    side = hand.alpha.shape[0]
    fingers = [drawn_bones(hand.joints_px, range(base - 3, base), 1, blank(side)) for base in FINGER_BASES]
    drawn = [*fingers, drawn_palm(hand.joints_px, side)]
    return np.stack([cv2.distanceTransform(255 - part, cv2.DIST_L2, 3) for part in drawn]).argmin(axis=0)


def _soft(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SOFT_PX), np.float32)

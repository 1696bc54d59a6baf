"""Where a second hand is put in the photograph of a first one, so that both touch or cover each other (numpy)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import transform
from engines.skeleton import SIDES, WRIST
from training.composed.arrangements import Arrangement, similarity
from training.composed.cutouts import Cutout
from training.composed.drawing import KNUCKLES
from training.composed.order import in_front_by_chance, in_front_by_depth

_TRIES: Final = 12
_SIZES_APART: Final = 0.12
"""Standard deviation of the logarithm of the second hand's size against the first one's."""
_LARGEST_EXTENT: Final = 1.55
"""The pair may be so many times as wide as the first hand: around it the photograph ends."""
_LARGEST_ARRANGED: Final = 2.2
"""The same for hands that lie as rendered ones do: as people hold them, with black around them."""
_MOST_HIDDEN: Final = 0.6
"""Share of a hand that the other one may cover."""
_MOST_ARRANGED: Final = 0.85
"""The same for hands that lie as rendered ones do."""
_LEAST_OVERLAP: Final = 0.02
_PALM_MEETS, _STRAY = 0.4, 0.12
"""Chance that a hand is touched at its palm and not at any joint; how far off that point, in sizes of the hand."""
_NATURAL: Final = 0.75
"""Chance that forearms come from the sides where a camera before the person sees them."""
_LEAST_JOINTS_SHOWN: Final = 0.9


@dataclass(frozen=True)
class Meeting:
    """The second hand as it lies in the first one's photograph."""

    picture_rgb: NDArray[np.uint8]
    """(P, P, 3) turned, scaled, moved."""
    alpha: NDArray[np.float32]
    """(P, P)."""
    joints_px: NDArray[np.float32]
    """(21, 2)."""
    first_in_front: NDArray[np.float32]
    """(P, P) 1 where the first hand hides it."""


def meeting_of(first: Cutout, second: Cutout, rng: np.random.Generator) -> Meeting | None:
    """A place for `second`, the other hand, at `first`; None if none of some tries is fit to be learnt from."""
    for _ in range(_TRIES):
        matrix = _placed(first, second, rng)
        joints = transform(matrix, second.joints_px).astype(np.float32)
        if not _fits(first, joints, _LARGEST_EXTENT):
            continue
        alpha = _moved_alpha(first, second, matrix)
        if _touch(first.alpha, alpha):
            return Meeting(_moved_picture(first, second, matrix), alpha, joints, in_front_by_chance(first, rng))
    return None


def meeting_as(arrangement: Arrangement, first: Cutout, second: Cutout) -> Meeting | None:
    """`second` at `first` as the hands of a rendered picture lie; None where too little of it would be seen."""
    one, two = SIDES.index(first.side), SIDES.index(second.side)
    to_first = similarity(arrangement.joints_px[one], first.joints_px)
    matrix = similarity(second.joints_px, transform(to_first, arrangement.joints_px[two]))
    joints = transform(matrix, second.joints_px).astype(np.float32)
    if not _fits(first, joints, _LARGEST_ARRANGED):
        return None
    alpha = _moved_alpha(first, second, matrix)
    if (first.alpha * alpha).sum() > _MOST_ARRANGED * alpha.sum():
        return None
    depths = arrangement.depth_mm[one], arrangement.depth_mm[two]
    front = in_front_by_depth((first.joints_px, joints), depths, alpha.shape)
    return Meeting(_moved_picture(first, second, matrix), alpha, joints, front)


def _moved_alpha(first: Cutout, second: Cutout, matrix: NDArray) -> NDArray[np.float32]:
    """Where the second hand lies in the first one's photograph."""
    size = first.alpha.shape[::-1]
    return np.asarray(cv2.warpAffine(second.alpha, matrix, size, flags=cv2.INTER_LINEAR) * first.photograph, np.float32)


def _moved_picture(first: Cutout, second: Cutout, matrix: NDArray) -> NDArray[np.uint8]:
    """What is seen of it there."""
    size = first.alpha.shape[::-1]
    return np.asarray(cv2.warpAffine(second.picture_rgb, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)


def _placed(first: Cutout, second: Cutout, rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, 3) photograph of the first hand from that of the second."""
    scale = first.size_px / second.size_px * float(np.exp(rng.normal(0, _SIZES_APART)))
    between = np.deg2rad(rng.triangular(0, 70, 180)) * (1 if rng.random() < _NATURAL else -1)
    turned = between if first.side == "left" else -between  # a right hand leans to the picture's right: clockwise
    angle = _pointing(first.joints_px) + turned - _pointing(second.joints_px)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stray = rng.normal(0, _STRAY, 2) * first.size_px
    to = _touched(first.joints_px, rng) + stray
    return np.column_stack([turn, to - turn @ _touched(second.joints_px, rng)])


def _pointing(joints_px: NDArray) -> float:
    """Direction from the wrist to the knuckles, radians; y points down."""
    x, y = joints_px[KNUCKLES].mean(axis=0) - joints_px[WRIST]
    return float(np.arctan2(y, x))


def _touched(joints_px: NDArray, rng: np.random.Generator) -> NDArray:
    if rng.random() < _PALM_MEETS:
        return joints_px[[WRIST, *KNUCKLES]].mean(axis=0)
    return joints_px[rng.integers(len(joints_px) - 1)]


def _fits(first: Cutout, joints: NDArray, largest: float) -> bool:
    """Whether the pair stays in the photograph, and near enough to its middle."""
    both = np.concatenate([first.joints_px, joints])
    if np.ptp(both, axis=0).max() > largest * np.ptp(first.joints_px, axis=0).max():
        return False
    x, y = np.round(joints).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < first.photograph.shape[1]) & (y < first.photograph.shape[0])
    shown = first.photograph[y[inside], x[inside]].sum() / len(joints)
    return bool(shown >= _LEAST_JOINTS_SHOWN)


def _touch(one: NDArray, other: NDArray) -> bool:
    overlap, smaller = float((one * other).sum()), float(min(one.sum(), other.sum()))
    return _LEAST_OVERLAP < overlap / max(smaller, 1.0) < _MOST_HIDDEN

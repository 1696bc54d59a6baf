"""Labelled hands cut out of their photographs: the skeleton says where to begin, GrabCut where skin ends (OpenCV).

"GrabCut: interactive foreground extraction using iterated graph cuts", Rother, Kolmogorov and Blake, 2004.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES, SIDES, WRIST, Side, other_side
from training.banks.real_bank import RealBank, within_photograph
from training.composed.drawing import KNUCKLES, drawn_bones, drawn_hull, drawn_palm

_WORK_PX: Final = 144
"""Side of the picture that is cut: four times faster than whole, and edges are softened anyway."""
_ROUNDS: Final = 4
_SURE, _LIKELY, _NEAR = 0.09, 0.2, 0.32
"""Widths of the bones as drawn, in sizes of the hand: inside a finger, a finger, a finger and what may belong to it."""
_ARM_WIDTH, _ARM_LENGTH = 0.84, 3.0
"""Where a forearm may be, in sizes of the hand; twice as wide at its end, as sleeves and turns have it."""
_LEAST_COVER: Final = 0.75
"""A cut-out that holds less of its own fingers, beyond the palm, has lost some of them."""
_LARGEST: Final = 1.6
"""Nor may it hold more than so many times all that is near its bones: then it took the wall with it."""
_ROOM, _SOFT_PX, _RIM_PX = 0.5, 1.5, 3
"""How far a photograph is carried on beyond its edges, in sides of it; how soft; what is mixed with black there."""


@dataclass(frozen=True)
class Cutout:
    """One hand of a photograph, its arm with it."""

    picture_rgb: NDArray[np.uint8]
    """(P, P, 3) the whole photograph, black beyond its edge."""
    photograph: NDArray[np.bool_]
    """(P, P) where it shows something."""
    alpha: NDArray[np.float32]
    """(P, P) 0..1, how much of each pixel is the hand or its arm."""
    joints_px: NDArray[np.float32]
    """(21, 2)."""
    joint_depth_mm: NDArray[np.float32]
    """(21,) relative to the wrist, NaN where unknown."""
    side: Side

    @property
    def size_px(self) -> float:
        """As `hand_size_px`."""
        return hand_size_px(self.joints_px)


def hand_size_px(joints_px: NDArray) -> float:
    """The palm's length in pixels, or what its width makes of it where the palm is seen edge-on; of (21, 2) joints."""
    bases = joints_px[KNUCKLES]
    longest = np.linalg.norm(bases - joints_px[WRIST], axis=1).max()
    return float(max(longest, 1.25 * np.linalg.norm(bases[0] - bases[-1])))


def cut_out(bank: RealBank, row: int) -> Cutout | None:
    """The one labelled hand of this row of a bank; None if there is not one, or it cannot be told from the rest."""
    if bank.hand_present[row].sum() != 1:
        return None
    side = SIDES[int(np.argmax(bank.hand_present[row]))]
    rows = HAND_SLICES[side]
    planes = np.asarray(bank.pictures[row])
    picture, photograph = np.ascontiguousarray(planes.transpose(1, 2, 0)), within_photograph(planes)
    alpha = _alpha(picture, bank.joints_px[row, rows])
    if alpha is None:
        return None
    depth = np.where(bank.depth_known[row, rows], bank.joint_depth_mm[row, rows], np.nan).astype(np.float32)
    return Cutout(picture, photograph, alpha * photograph, bank.joints_px[row, rows], depth, side)


def mirrored(cutout: Cutout) -> Cutout:
    """The same in a mirror: the other hand."""
    joints = cutout.joints_px.copy()
    joints[:, 0] = cutout.alpha.shape[1] - 1 - joints[:, 0]
    return Cutout(
        picture_rgb=np.ascontiguousarray(cutout.picture_rgb[:, ::-1]),
        photograph=cutout.photograph[:, ::-1],
        alpha=np.ascontiguousarray(cutout.alpha[:, ::-1]),
        joints_px=joints,
        joint_depth_mm=cutout.joint_depth_mm,
        side=other_side(cutout.side),
    )


def with_room(cutout: Cutout) -> Cutout | None:
    """The same with its photograph carried on beyond its edges, each by `_ROOM` of its sides; None if it cuts the hand.

    What leaves the photograph at an edge, as the arm does, goes on straight.
    """
    shown = [np.nonzero(cutout.photograph.any(axis))[0] for axis in (0, 1)]
    (left, right), (top, bottom) = ((int(line[0]) + _RIM_PX, int(line[-1]) - _RIM_PX) for line in shown)
    x, y = cutout.joints_px.T
    if not (left < x.min() and x.max() < right and top < y.min() and y.max() < bottom):
        return None
    across, down = round(_ROOM * (right - left + 1)), round(_ROOM * (bottom - top + 1))
    within = np.s_[top : bottom + 1, left : right + 1]
    edges = down, down, across, across
    picture = cv2.copyMakeBorder(cutout.picture_rgb[within], *edges, cv2.BORDER_REPLICATE)
    alpha = cv2.copyMakeBorder(cutout.alpha[within], *edges, cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(picture, (0, 0), _SOFT_PX)  # single pixels would become streaks
    soft[down:-down, across:-across] = cutout.picture_rgb[within]
    return replace(
        cutout,
        picture_rgb=np.asarray(soft, np.uint8),
        photograph=np.ones(alpha.shape, np.bool_),
        alpha=np.asarray(alpha, np.float32),
        joints_px=(cutout.joints_px + [across - left, down - top]).astype(np.float32),
    )


def _alpha(rgb: NDArray[np.uint8], joints_px: NDArray) -> NDArray[np.float32] | None:
    side = rgb.shape[0]
    small = cv2.resize(rgb, (_WORK_PX, _WORK_PX), interpolation=cv2.INTER_AREA)
    joints = (joints_px + 0.5) * (_WORK_PX / side) - 0.5
    size = hand_size_px(joints)
    sure, likely, near = (_bones(joints, width * size) for width in (_SURE, _LIKELY, _NEAR))
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    labels[(near | _arm(joints, size)) > 0] = cv2.GC_PR_BGD
    labels[likely > 0] = cv2.GC_PR_FGD
    labels[sure > 0] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # its first colour clusters are drawn at random
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    hand = _connected((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), sure > 0)
    fingers = (likely > 0) & (drawn_palm(joints, _WORK_PX) == 0)
    if hand[fingers].mean() < _LEAST_COVER or hand.sum() > _LARGEST * (near > 0).sum():
        return None
    whole = cv2.resize(hand.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(whole, (0, 0), 0.7), np.float32)


def _bones(joints: NDArray, width: float) -> NDArray[np.uint8]:
    """The skeleton with bones of this width and the palm filled, 0 or 255."""
    return drawn_bones(joints, range(WRIST), width, drawn_palm(joints, _WORK_PX))


def _arm(joints: NDArray, size: float) -> NDArray[np.uint8]:
    """Where the forearm may be: beyond the wrist, away from the knuckles."""
    away = joints[WRIST] - joints[KNUCKLES].mean(axis=0)
    away = away / max(float(np.linalg.norm(away)), 1.0e-6)
    across = np.array([-away[1], away[0]]) * (_ARM_WIDTH * size / 2)
    start, end = joints[WRIST] - 0.1 * size * away, joints[WRIST] + _ARM_LENGTH * size * away
    corners = np.array([start + across, start - across, end - 2 * across, end + 2 * across])
    return drawn_hull(corners, _WORK_PX)


def _connected(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of the mask that touch the seeds."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    kept = np.unique(parts[seeds])
    return np.isin(parts, kept[kept > 0])

"""Hands to put into frames: rendered cut-outs and real crops as one kind of thing, turned, scaled (numpy, OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES, SWAP_HANDS
from training.banks.bank import HandBank
from training.banks.real_bank import RealBank, within_photograph


@dataclass(frozen=True)
class Piece:
    """A picture with one or two hands."""

    rgba: NDArray[np.uint8]
    """(S, S, 4), colours times alpha."""
    joints_px: NDArray[np.float32]
    """(42, 2); zeros for a hand that is not there."""
    present: NDArray[np.bool_]
    """(2,) right, left."""
    known: NDArray[np.bool_]
    """(2,) whether it is certain that this hand is there, or is not."""

    def of_all(self) -> NDArray[np.float32]:
        """(21 or 42, 2) joints of the hands that are there."""
        there = [self.joints_px[HAND_SLICES[side]] for k, side in enumerate(SIDES) if self.present[k]]
        return np.concatenate(there)


def rendered_piece(bank: HandBank, row: int) -> Piece:
    """A row of a bank of rendered hands; what lies beyond the hands is transparent, or a scene."""
    present = bank.hand_present[row].astype(bool)
    joints = np.zeros((42, 2), np.float32)
    intrinsics = Intrinsics(*(float(v) for v in bank.intrinsics_px[row]))
    for k, side in enumerate(SIDES):
        if present[k]:
            joints[HAND_SLICES[side]] = project(bank.joints_cam_mm[row, HAND_SLICES[side]], intrinsics)
    rgba = cv2.merge(list(np.asarray(bank.pictures[row])))
    return Piece(rgba, joints, present, np.ones(2, bool))


def real_piece(bank: RealBank, row: int) -> Piece:
    """A row of a bank of real hands: an opaque square; beyond the photograph's edge it is transparent."""
    planes = np.asarray(bank.pictures[row])
    alpha = 255 * within_photograph(planes).astype(np.uint8)
    rgba = cv2.merge([*(cv2.bitwise_and(plane, alpha) for plane in planes), alpha])
    return Piece(rgba, bank.joints_px[row], bank.hand_present[row].astype(bool), bank.hand_known[row].astype(bool))


def mirrored(piece: Piece) -> Piece:
    """The same in a mirror: right hands are left ones."""
    joints = piece.joints_px.copy()
    joints[:, 0] = piece.rgba.shape[1] - 1 - joints[:, 0]
    return Piece(cv2.flip(piece.rgba, 1), joints[SWAP_HANDS], piece.present[::-1].copy(), piece.known[::-1].copy())


def faded(piece: Piece, share: float) -> Piece:
    """The same with edges that fade to nothing over `share` of the side: no straight line tells where it was pasted."""
    side = piece.rgba.shape[0]
    ramp = np.minimum(1.0, (np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5) / max(share * side, 1.0))
    smooth = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    weight = smooth[:, None] * smooth
    rgba = cv2.multiply(piece.rgba, cv2.merge([weight] * 4), dtype=cv2.CV_8U)
    return Piece(rgba, piece.joints_px, piece.present, piece.known)


def reduced(piece: Piece, scale: float) -> tuple[Piece, float]:
    """The piece as it is best scaled by `scale`: averaged down first where it gets much smaller; and the scale left."""
    factor = 2.0 ** -int(np.floor(-np.log2(scale))) if scale < 0.5 else 1.0
    if factor == 1.0:
        return piece, scale
    side = max(round(piece.rgba.shape[0] * factor), 8)
    exact = side / piece.rgba.shape[0]
    rgba = cv2.resize(piece.rgba, (side, side), interpolation=cv2.INTER_AREA)
    joints = ((piece.joints_px + 0.5) * exact - 0.5).astype(np.float32)
    return Piece(rgba, joints, piece.present, piece.known), scale / exact

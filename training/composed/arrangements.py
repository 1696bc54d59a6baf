"""How rendered hands meet, and which real ones are posed alike, whatever their turn and size in the picture (numpy).

A shape is 21 complex numbers, their mean taken out, their norm 1: the magnitude of <a, b> is 1 where one becomes the
other by turning, scaling and moving it (Kendall, "Shape manifolds, Procrustean metrics, and complex projective spaces",
1984). A hand in a mirror has the conjugate shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, JOINTS_PER_HAND, SIDES, Side
from training.banks.bank import shard_labels
from training.banks.banks import whole_shards
from training.banks.real_bank import RealBank


@dataclass(frozen=True)
class Arrangement:
    """Two hands in a picture: right, left."""

    joints_px: NDArray[np.float32]
    """(2, 21, 2) pixels of the rendered picture."""
    depth_mm: NDArray[np.float32]
    """(2, 21) along the camera's axis, of both hands from the same point."""


def arrangements(root: Path) -> list[Arrangement]:
    """Of every rendered pair in a folder of shards (`training.synth`); raises UserError if there is none."""
    found = []
    for shard in whole_shards(root, "rendered"):
        with shard_labels(root / f"shard-{shard}.npz") as labels:
            joints, valid, camera = labels["joints_cam_mm"], labels["joint_valid"], labels["intrinsics_px"]
        for row in np.nonzero(valid.all(1) & (joints[..., 2] > 0).all(1))[0]:
            points = project(joints[row], Intrinsics(*camera[row].tolist()))
            hands = np.stack([points[HAND_SLICES[side]] for side in SIDES])
            depth = np.stack([joints[row, HAND_SLICES[side], 2] for side in SIDES])
            found.append(Arrangement(hands.astype(np.float32), depth.astype(np.float32)))
    if not found:
        raise UserError(f"--meetings {root}: no rendered pairs there; make some with training.synth --modes families")
    return found


def shapes_of(joints_px: NDArray) -> NDArray[np.complex128]:
    """(N, 21) shapes of (N, 21, 2) joints."""
    points = joints_px[..., 0] + 1j * joints_px[..., 1]
    points = points - points.mean(-1, keepdims=True)
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9))


@dataclass(frozen=True)
class Gallery:
    """The hands of one set, to be found by their pose."""

    rows: NDArray[np.int64]
    """(N,) rows of the bank, each of one hand."""
    shapes: NDArray[np.complex128]
    """(N, 21) as of right hands: left ones mirrored."""

    @staticmethod
    def of(bank: RealBank, rows: NDArray[np.int64]) -> Gallery:
        """These rows of a bank, each of which shows one hand."""
        sides = np.argmax(bank.hand_present[rows], 1)
        joints = [bank.joints_px[row, HAND_SLICES[SIDES[k]]] for row, k in zip(rows, sides, strict=True)]
        shapes = shapes_of(np.reshape(joints, (-1, JOINTS_PER_HAND, 2)))
        return Gallery(rows, np.where(sides[:, None] == 0, shapes, shapes.conj()))

    def alike(self, joints_px: NDArray, side: Side) -> NDArray[np.float64]:
        """(N,) how alike each is to (21, 2) joints of a hand of that side, 0 to 1."""
        shape = shapes_of(joints_px[None])[0]
        return np.abs(self.shapes.conj() @ (shape if side == "right" else shape.conj()))


def similarity(points_px: NDArray, onto_px: NDArray) -> NDArray[np.float64]:
    """(2, 3) the turn, scale and shift that bring (N, 2) points nearest to (N, 2) others (least squares)."""
    mean, onto_mean = points_px.mean(0), onto_px.mean(0)
    given, wanted = ((points - middle) @ (1, 1j) for points, middle in ((points_px, mean), (onto_px, onto_mean)))
    factor = np.vdot(given, wanted) / max(np.vdot(given, given).real, 1e-9)
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([turn, onto_mean - turn @ mean])

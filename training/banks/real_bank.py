"""Real hands with labels in the picture: square crops, kept in memory as one tensor, beside the rendered banks.

A set is `NAME.tar` (square, black beyond the photograph's edge) and `NAME.npz` beside it, row i for picture i:
`joints_px` (N, 42, 2) in pixels of the crop (0, 0: centre of the first), NaN where a hand is absent or unlabelled;
`joint_depth_mm` and `depth_known` (N, 42), relative to the hand's own wrist; `right_is_main` (N,): around which hand
it lies; `other_hand_known` (N,): whether its other hand may be taught as labelled, or as absent. No intrinsics are
known: depths are taken as along the line of sight. A picture without any labelled hand teaches by consistency only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from training.banks.bank import archive_blobs, decoded_pictures, shard_labels

STORED_PX = 288
"""Side of the pictures that we store."""
STORED_EXTENT = 2.4
"""A stored picture is so many times as wide as its hands: room for a crop of 1.5 that strays, turns and shrinks."""
_ARRAYS = {"joints_px": 3, "joint_depth_mm": 2, "depth_known": 2, "right_is_main": 1, "other_hand_known": 1}
"""What a set must hold, and its number of dimensions."""


@dataclass(frozen=True)
class RealBank:
    """N pictures with their labels; joints in InterHand2.6M's order, right 0-20, left 21-41."""

    pictures: NDArray[np.uint8]
    """(N, 3, size, size) RGB."""
    joints_px: NDArray[np.float32]
    """(N, 42, 2) pixels of the stored picture; zeros for a hand that is not labelled."""
    joint_depth_mm: NDArray[np.float32]
    """(N, 42) relative to the hand's wrist."""
    depth_known: NDArray[np.bool_]
    """(N, 42)."""
    hand_present: NDArray[np.bool_]
    """(N, 2) right, left."""
    hand_known: NDArray[np.bool_]
    """(N, 2) whether `hand_present` is certain."""

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size_px(self) -> int:
        """Side of the stored pictures."""
        return int(self.pictures.shape[-1])


def load_real(root: Path, name: str, size_px: int, cache: Path) -> RealBank:
    """Read `NAME`, decoding it into `cache` unless it is there already.

    Raises UserError if it is missing, damaged, or its labels do not fit its pictures.
    """
    path = root / f"{name}.npz"
    if not path.exists():
        raise UserError(f"{path}: no such set of real hands; check data.banks in the settings")
    labels = _labels(path)
    count = len(labels["joints_px"])

    def decode() -> NDArray[np.uint8]:
        blobs = archive_blobs(root / f"{name}.tar")
        if len(blobs) != count:
            raise UserError(f"{root}/{name}: {len(blobs)} pictures but {count} labels; make the set again")
        return np.stack([_sized(_rgb(blob, root / f"{name}.tar"), size_px) for blob in blobs])

    pictures = decoded_pictures(path, name, size_px, count, cache, decode)
    scale = np.float32(size_px / _stored_size(root / f"{name}.tar"))
    joints = labels["joints_px"].astype(np.float32)
    labelled = ~np.isnan(joints).any(-1)
    present = np.stack([labelled[:, :21].all(1), labelled[:, 21:].all(1)], 1)
    joints = (np.where(present.repeat(21, 1)[..., None], joints, 0) + np.float32(0.5)) * scale - np.float32(0.5)
    main = np.stack([labels["right_is_main"], ~labels["right_is_main"].astype(bool)], 1).astype(bool)
    return RealBank(
        pictures=pictures,
        joints_px=joints,
        joint_depth_mm=np.nan_to_num(labels["joint_depth_mm"]).astype(np.float32),
        depth_known=labels["depth_known"].astype(bool) & present.repeat(21, 1),
        hand_present=present,
        hand_known=(main & present) | (labels["other_hand_known"].astype(bool) & present.any(1))[:, None],
    )


def within_photograph(planes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(S, S) where a stored picture (3, S, S) shows its photograph: beyond it whole rows and columns are black."""
    green = planes[1]
    rows, columns = green.max(1) > 8, green.max(0) > 8
    return _span(rows)[:, None] & _span(columns)


def _span(lit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = np.nonzero(lit)[0]
    span = np.zeros(len(lit), bool)
    if len(found):
        span[found[0] : found[-1] + 1] = True
    return span


def _labels(path: Path) -> dict[str, NDArray]:
    with shard_labels(path) as stored:
        missing = sorted(name for name in _ARRAYS if name not in stored)
        if missing:
            raise UserError(f"{path}: no labels of real hands: {', '.join(missing)} is missing")
        labels = {name: stored[name] for name in _ARRAYS}  # taken out once: each access reads the archive anew
    count = len(labels["joints_px"])
    wrong = sorted(name for name, rank in _ARRAYS.items() if labels[name].ndim != rank or len(labels[name]) != count)
    if wrong or labels["joints_px"].shape[1:] != (42, 2):
        raise UserError(f"{path}: the shape of {', '.join(wrong) or 'joints_px'} does not fit; make the set again")
    return labels


def _rgb(blob: bytes, archive: Path) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape[0] != picture.shape[1]:
        raise UserError(f"{archive}: holds a damaged picture, or one that is not square; make the set again")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _sized(rgb: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """(3, size, size); the crops come out of it, so it is best not reduced at all."""
    smaller = size_px < rgb.shape[0]
    if size_px != rgb.shape[0]:
        rgb = cv2.resize(rgb, (size_px, size_px), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))


def _stored_size(archive: Path) -> int:
    return int(_rgb(archive_blobs(archive, first=True)[0], archive).shape[0])

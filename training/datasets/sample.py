"""One labelled picture, the same for every data set: what training, evaluation and `prepare` are given.

Joints are in InterHand2.6M's order, right 0-20, left 21-41; what is not labelled is zero and marked as not valid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.crop import ANNOTATION_FACTOR, CONTEXT_FACTOR, Crop
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, Side

_GREY = 118
"""What cut-out hands are laid on when they are looked at without a background of their own."""


@dataclass(frozen=True)
class PackedPicture:
    """An encoded picture inside an uncompressed archive."""

    archive: Path
    offset: int
    size: int
    background: Path | None = None
    """Photograph behind a cut-out; None is grey."""


Picture = Path | PackedPicture | np.ndarray
"""A file, a part of an archive, or the pixels themselves, (H, W, 3) uint8 BGR."""


@dataclass(frozen=True)
class LabelledSample:
    """One picture with all that is known of its hands."""

    annotation_id: int
    """Unique within one split of one data set; the key of a predictions file."""
    picture: Picture
    intrinsics: Intrinsics | None
    """In pixels of the picture; None for sets with 2D labels only."""
    joints_cam_mm: NDArray[np.float64]
    """(42, 3) camera frame."""
    joint_cam_valid: NDArray[np.bool_]
    """(42,) False for all joints of a hand whose wrist is not labelled: their root-relative place is unknown."""
    joints_px: NDArray[np.float64]
    """(42, 2) pixels of the picture."""
    joint_px_valid: NDArray[np.bool_]
    """(42,)."""
    hand_present: NDArray[np.bool_]
    """(2,) right, left."""
    box_px: NDArray[np.float64]
    """(4,) x, y, width, height of the annotation's box: the joints' extent times 1.2."""
    handedness_known: bool = True
    """False: `hand_present` tells nothing. If one hand is labelled then, its joints stand in the right hand's rows."""
    interacting: bool = False
    """Of a sequence with two hands (InterHand2.6M's `interacting`)."""
    mode: str = ""
    """What a rendered picture shows: `single`, or how its hands meet."""
    sequence: str = ""
    capture: str = ""
    frame: int = field(default=0)

    def crop(self) -> Crop:
        """The upright square that the network looks at: the box made square, times 1.25."""
        x, y, width, height = (float(v) for v in self.box_px)
        return Crop((x + width / 2, y + height / 2), max(width, height, 1.0) * CONTEXT_FACTOR)


def read_picture(picture: Picture) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR; a cut-out lies on grey. Raises UserError naming a missing or damaged file."""
    if isinstance(picture, np.ndarray):
        return picture
    if isinstance(picture, PackedPicture):
        return _unpacked(picture)
    image = cv2.imread(str(picture), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        state = "is no picture that can be read" if picture.is_file() else "no such picture"
        raise UserError(f"{picture}: {state}; fetch this part of the data set again")
    return np.asarray(image, np.uint8)


def _unpacked(picture: PackedPicture) -> NDArray[np.uint8]:
    try:
        with picture.archive.open("rb") as file:
            file.seek(picture.offset)
            blob = np.frombuffer(file.read(picture.size), np.uint8)
    except OSError as error:
        raise UserError(f"{picture.archive}: cannot be read ({error.strerror})") from error
    image = cv2.imdecode(blob, cv2.IMREAD_UNCHANGED) if blob.size else None
    if image is None or image.ndim != 3:
        raise UserError(f"{picture.archive}: holds a damaged picture at byte {picture.offset}; fetch the file again")
    if image.shape[2] == 4:
        alpha = image[..., 3:].astype(np.float32) / 255
        behind = _GREY if picture.background is None else _middle_of(picture.background, *image.shape[:2])
        image = np.rint(image[..., :3] * alpha + behind * (1 - alpha))
    return np.asarray(image[..., :3], np.uint8)


@lru_cache(maxsize=512)
def _middle_of(photograph: Path, height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3) BGR: the photograph's middle, as large as it fits."""
    whole = read_picture(photograph)
    scale = min(whole.shape[0] / height, whole.shape[1] / width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (whole.shape[0] - rows) // 2, (whole.shape[1] - columns) // 2
    part = whole[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def box_around(joints_px: NDArray, valid: NDArray) -> NDArray[np.float64]:
    """(4,) x, y, width, height: the extent of the valid joints times 1.2, as InterHand2.6M draws it.

    Zeros where no joint is valid.
    """
    if not valid.any():
        return np.zeros(4)
    low, high = joints_px[valid].min(axis=0), joints_px[valid].max(axis=0)
    size = (high - low) * ANNOTATION_FACTOR
    return np.concatenate([(low + high) / 2 - size / 2, size])


def in_rows_of(side: Side, joints: NDArray) -> NDArray:
    """(42, ...) array with the joints (21, ...) of one hand in that hand's rows, zeros in the other's."""
    both = np.zeros((42, *joints.shape[1:]), joints.dtype)
    both[HAND_SLICES[side]] = joints
    return both


def only(side: Side) -> NDArray[np.bool_]:
    """(2,) flags of a picture with one hand."""
    return np.array([side == "right", side == "left"])

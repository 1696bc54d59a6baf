"""Pictures of hands that touch, with the box of the pair: what detectors and the whole way find there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.pair_boxes import iou
from realtime.messages import Frame, HandFrame

_LOOKS: Final = 6
"""Frames for which the whole way is shown each picture ..."""
_RATE_HZ: Final = 30.0


@dataclass(frozen=True)
class ClaspedPicture:
    """A picture and its label."""

    name: str
    image_bgr: NDArray[np.uint8]
    box_px: NDArray[np.float64]
    """(4,) left, top, right, bottom of both hands."""


def load_clasped(root: Path) -> list[ClaspedPicture]:
    """Read `labels.json` (frames: image, pair_box_px as left, top, width, height) and `images/`; raises UserError."""
    try:
        frames = json.loads((root / "labels.json").read_text())["frames"]
        return [_picture(root / "images" / one["image"], one["pair_box_px"]) for one in frames]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{root}: no pictures of clasped hands (labels.json, images/): {error}") from error


def covered(pictures: Iterable[ClaspedPicture], boxes_of: Callable[[NDArray[np.uint8]], list[NDArray]]) -> float:
    """Share of pictures in which one of the boxes (4,) that are proposed covers the pair (IoU 0.5)."""
    hits = [max((iou(one.box_px, box) for box in boxes_of(one.image_bgr)), default=0.0) >= 0.5 for one in pictures]
    return float(np.mean(hits))


def tracked(picture: ClaspedPicture, track: Callable[[Frame], HandFrame]) -> HandFrame:
    """The last of some frames of a still picture, from a pipeline that has seen nothing yet."""
    frames = [Frame(k, k / _RATE_HZ, picture.image_bgr) for k in range(_LOOKS)]
    return [track(frame) for frame in frames][-1]


def joints_cover(result: HandFrame, picture: ClaspedPicture) -> bool:
    """Whether the box of both tracked hands' joints covers the pair (IoU 0.5)."""
    joints = np.concatenate([hand.joints_px for hand in result.hands] or [np.zeros((1, 2), np.float32)])
    box = np.concatenate([joints.min(0), joints.max(0)]).astype(np.float64)
    return len(result.hands) == 2 and iou(box, picture.box_px) >= 0.5


def _picture(path: Path, box: list[float]) -> ClaspedPicture:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{path}: no picture that can be read")
    left, top, width, height = (float(v) for v in box)
    return ClaspedPicture(path.name, image.astype(np.uint8), np.array([left, top, left + width, top + height]))

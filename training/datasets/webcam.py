"""Real webcam pictures of one hand with joints in camera space: a folder of crops and one `labels.json`.

`labels.json` holds `frames`, each with `image`, `side`, `intrinsics_px` (fx, fy, cx, cy of the stored crop) and
`joints_cam_mm` (21, 3) in InterHand2.6M's order. Only ever used to judge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.pinhole import Intrinsics
from engines.skeleton import SIDES, Side


@dataclass(frozen=True)
class LabelledHand:
    """One picture of one hand."""

    image_bgr: NDArray[np.uint8]
    side: Side
    joints_cam_mm: NDArray[np.float64]
    """(21, 3)."""
    intrinsics: Intrinsics


def load_webcam(root: Path) -> list[LabelledHand]:
    """All pictures of the folder; raises UserError naming what is missing or damaged."""
    path = root / "labels.json"
    try:
        frames = json.loads(path.read_text())["frames"]
        return [_hand(root, frame) for frame in frames]
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); set --root to the folder of the data set"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not the labels of this data set ({error})") from error


def _hand(root: Path, frame: dict[str, Any]) -> LabelledHand:
    image = cv2.imread(str(root / "images" / frame["image"]), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{root / 'images' / frame['image']}: missing or damaged picture")
    if frame["side"] not in SIDES:
        raise ValueError(f"side {frame['side']!r}")
    joints = np.array(frame["joints_cam_mm"], np.float64).reshape(21, 3)
    return LabelledHand(image, frame["side"], joints, Intrinsics(*map(float, frame["intrinsics_px"])))

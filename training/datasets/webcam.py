"""Real webcam pictures of one hand with joints in camera space: a folder of crops and one `labels.json`.

`labels.json` holds `frames`, each with `image`, `side`, `intrinsics_px` (fx, fy, cx, cy of the stored crop) and
`joints_cam_mm` (21, 3) in InterHand2.6M's order. Only ever used to judge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import SIDES
from training.datasets.files import content_of, read_json
from training.datasets.sample import LabelledSample, box_around, in_rows_of, only


def load_webcam(root: Path, split: str = "test") -> list[LabelledSample]:
    """All pictures of the folder, which is one test; raises UserError naming what is missing or damaged."""
    del split
    path = root / "labels.json"
    content = read_json(path)
    with content_of(path):
        return [_sample(root, i, frame) for i, frame in enumerate(content["frames"])]


def _sample(root: Path, index: int, frame: dict[str, Any]) -> LabelledSample:
    side = frame["side"]
    if side not in SIDES:
        raise ValueError(f"side {side!r}")
    joints = np.array(frame["joints_cam_mm"], np.float64).reshape(21, 3)
    intrinsics = Intrinsics(*map(float, frame["intrinsics_px"]))
    valid = in_rows_of(side, np.ones(21, bool))
    pixels = in_rows_of(side, project(joints, intrinsics))
    return LabelledSample(
        annotation_id=index,
        picture=root / "images" / frame["image"],
        intrinsics=intrinsics,
        joints_cam_mm=in_rows_of(side, joints),
        joint_cam_valid=valid,
        joints_px=pixels,
        joint_px_valid=valid,
        hand_present=only(side),
        box_px=box_around(pixels, valid),
        sequence="webcam",
        frame=index,
    )

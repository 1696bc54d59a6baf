"""RHD, rendered hands: 3D joints of one hand per picture (COCO-style JSON; the original pickle is not read).

Two published forms are understood: `annotations/rhd_<train|test>.json` (or `<train|test>_rhd.json`), and InterNet's
`RHD_<training|evaluation>.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from engines.geometry.pinhole import Intrinsics
from engines.skeleton import SIDES
from training.datasets.files import content_of, first_existing, read_coco
from training.datasets.orders import TIP_FIRST
from training.datasets.sample import LabelledSample, in_rows_of, only

_FOLDERS: Final = {"train": "training", "test": "evaluation"}


def load_rhd(root: Path, split: str) -> list[LabelledSample]:
    """All hands of a split; raises UserError naming a missing or damaged file."""
    folder = _FOLDERS.get(split, split)
    names = (
        f"annotations/rhd_{split}.json",
        f"{split}_rhd.json",
        f"RHD_{folder}.json",
        f"annotations/RHD_{folder}.json",
    )
    path = first_existing([root / name for name in names], "annotation file")
    images, annotations = read_coco(path)
    folders = [root / folder / "color", root / "RHD_published_v2" / folder / "color", root]
    home = next((f for f in folders if f.is_dir()), root)
    with content_of(path):
        return [_sample(home, a, images[int(a["image_id"])]) for a in annotations]


def _sample(home: Path, annotation: dict[str, Any], image: dict[str, Any]) -> LabelledSample:
    side = annotation["hand_type"]
    if side not in SIDES:
        raise ValueError(f"hand_type {side!r}")
    joints_px, valid = _joints_px(annotation)
    joints_mm = np.array(annotation["joint_cam"], np.float64).reshape(21, 3)[TIP_FIRST]
    camera = image["cam_param"]
    return LabelledSample(
        annotation_id=int(annotation["id"]),
        picture=home / Path(image["file_name"]).name,
        intrinsics=Intrinsics(*map(float, [*camera["focal"], *camera["princpt"]])),
        joints_cam_mm=in_rows_of(side, joints_mm * valid[:, None]),
        joint_cam_valid=in_rows_of(side, valid & valid[20]),
        joints_px=in_rows_of(side, joints_px * valid[:, None]),
        joint_px_valid=in_rows_of(side, valid),
        hand_present=only(side),
        box_px=np.array(annotation["bbox"], np.float64).reshape(4),
    )


def _joints_px(annotation: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """(21, 2) pixels and (21,) validity, in our order."""
    if "keypoints" in annotation:
        keypoints = np.array(annotation["keypoints"], np.float64).reshape(21, 3)[TIP_FIRST]
        return keypoints[:, :2], keypoints[:, 2] > 0
    joints = np.array(annotation["joint_img"], np.float64).reshape(21, -1)[TIP_FIRST, :2]
    return joints, np.array(annotation["joint_valid"], np.float64).reshape(21)[TIP_FIRST] > 0

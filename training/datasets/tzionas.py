"""Tzionas et al., "Capturing Hands in Action" (IJCV 2016): two interacting hands, 2D joints only.

    <root>/<sequence 01..07>/1/rgb/<frame>.png
    <root>/<sequence>/1/joints_2D_GT/<frame>.txt     every fifth frame; lines `index x y`, 0 0 where not seen

28 lines: 14 joints of one hand, then 14 of the other. No tips, no wrists. The paper's random 9:1 split is drawn here
with a fixed seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.skeleton import HAND_SLICES, Side, other_side
from training.datasets.files import content_of
from training.datasets.orders import TZIONAS
from training.datasets.sample import LabelledSample, box_around

_SEED = 2020
_TEST_SHARE = 0.1


def load_tzionas(root: Path, split: str, first_hand: Side = "right") -> list[LabelledSample]:
    """The labelled frames of `train` (nine tenths) or `test`; raises UserError naming a missing or damaged file.

    `first_hand` is the hand of the first 14 lines: the person's right one, who faces the camera. Check it with
    `python -m training.prepare --sheet` before training on it.
    """
    files = sorted(root.glob("*/1/joints_2D_GT/*.txt"))
    if not files:
        raise UserError(f"{root}: no */1/joints_2D_GT/*.txt; see python -m training.prepare --dataset tzionas")
    order = np.random.default_rng(_SEED).permutation(len(files))
    count = round(_TEST_SHARE * len(files))
    chosen = order[:count] if split == "test" else order[count:]
    return [_sample(files[i], int(i), first_hand) for i in sorted(chosen)]


def _sample(path: Path, annotation_id: int, first_hand: Side) -> LabelledSample:
    labelled = _read(path)
    joints, valid = np.zeros((42, 2)), np.zeros(42, bool)
    for side, points in ((first_hand, labelled[:14]), (other_side(first_hand), labelled[14:])):
        hand = np.where((TZIONAS >= 0)[:, None], points[TZIONAS], 0.0)
        joints[HAND_SLICES[side]] = hand
        valid[HAND_SLICES[side]] = (hand > 0).all(axis=1)
    sequence = path.parents[2].name
    return LabelledSample(
        annotation_id=annotation_id,
        picture=_picture(path),
        intrinsics=None,
        joints_cam_mm=np.zeros((42, 3)),
        joint_cam_valid=np.zeros(42, bool),
        joints_px=joints * valid[:, None],
        joint_px_valid=valid,
        hand_present=np.ones(2, bool),
        box_px=box_around(joints, valid),
        interacting=True,
        sequence=sequence,
        frame=int(path.stem) if path.stem.isdigit() else annotation_id,
    )


def _read(path: Path) -> NDArray[np.float64]:
    """(28, 2) pixels."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    with content_of(path):
        rows = np.array([[float(v) for v in line.split()] for line in lines if line.strip()])
        if rows.shape != (28, 3) or not np.array_equal(rows[:, 0], np.arange(28)):
            raise ValueError("not 28 lines of index, x, y")
        return rows[:, 1:]


def _picture(label: Path) -> Path:
    folder = label.parents[1] / "rgb"
    found = [folder / f"{label.stem}{suffix}" for suffix in (".png", ".jpg")]
    return next((path for path in found if path.exists()), found[0])

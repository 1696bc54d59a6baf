"""2D hands from COCO-style files: FreiHAND, OneHand10K and COCO-WholeBody.

FreiHAND shows right hands only. OneHand10K does not say which hand it is. COCO-WholeBody labels both hands of a
person: a pair whose boxes overlap is one sample, hands apart are two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES, SIDES, Side
from training.datasets.files import content_of, first_existing, read_coco
from training.datasets.orders import BASE_FIRST
from training.datasets.sample import LabelledSample, box_around, in_rows_of, only

_ONEHAND_FOLDERS: Final = {"train": "Train/source", "test": "Test/source"}


def load_freihand(root: Path, split: str) -> list[LabelledSample]:
    """`annotations/freihand_<split>.json` and `training/rgb`; raises UserError naming a missing or damaged file."""
    return _single_hands(root, split, "freihand", root / "training" / "rgb", handedness_known=True)


def load_onehand10k(root: Path, split: str) -> list[LabelledSample]:
    """`annotations/onehand10k_<split>.json`, `Train/source`, `Test/source`; raises UserError like the others."""
    folder = root / _ONEHAND_FOLDERS.get(split, split)
    return _single_hands(root, split, "onehand10k", folder, handedness_known=False)


def load_coco_wholebody(root: Path, split: str) -> list[LabelledSample]:
    """`annotations/coco_wholebody_<split>_v1.0.json` and `<split>2017/`; raises UserError like the others."""
    split = "val" if split == "test" else split
    path = first_existing([root / "annotations" / f"coco_wholebody_{split}_v1.0.json"], "annotation file")
    images, annotations = read_coco(path)
    samples: list[LabelledSample] = []
    with content_of(path):
        for annotation in annotations:
            picture = root / f"{split}2017" / Path(images[int(annotation["image_id"])]["file_name"]).name
            samples += _person(annotation, picture)
    return samples


def _single_hands(root: Path, split: str, name: str, folder: Path, handedness_known: bool) -> list[LabelledSample]:
    names = (f"annotations/{name}_{split}.json", f"{split}_{name}.json")
    path = first_existing([root / n for n in names], "annotation file")
    home = folder if folder.is_dir() else root
    images, annotations = read_coco(path)
    samples = []
    with content_of(path):
        for annotation in annotations:
            joints, valid = _keypoints(annotation["keypoints"])
            samples.append(
                _sample_2d(
                    annotation_id=int(annotation["id"]),
                    picture=home / Path(images[int(annotation["image_id"])]["file_name"]).name,
                    joints_px=in_rows_of("right", joints),
                    valid=in_rows_of("right", valid),
                    hand_present=only("right"),
                    handedness_known=handedness_known,
                )
            )
    return samples


def _person(annotation: dict[str, Any], picture: Path) -> list[LabelledSample]:
    """None, one or two samples of one person's hands."""
    hands: dict[Side, tuple[NDArray, NDArray]] = {}
    for side in SIDES:
        joints, valid = _keypoints(annotation[f"{side}hand_kpts"])
        if annotation[f"{side}hand_valid"] and valid.any():
            hands[side] = joints, valid
    boxes = [box_around(*hand) for hand in hands.values()]
    groups: list[list[Side]] = [[side] for side in hands]
    if len(hands) == 2 and _overlap(*boxes):
        groups = [list(hands)]
    return [_hands_of_person(annotation, picture, group, hands) for group in groups]


def _hands_of_person(
    annotation: dict[str, Any], picture: Path, group: list[Side], hands: dict[Side, tuple[NDArray, NDArray]]
) -> LabelledSample:
    joints, valid = np.zeros((42, 2)), np.zeros(42, bool)
    for side in group:
        joints[HAND_SLICES[side]], valid[HAND_SLICES[side]] = hands[side]
    return _sample_2d(
        annotation_id=2 * int(annotation["id"]) + SIDES.index(group[0]),
        picture=picture,
        joints_px=joints,
        valid=valid,
        hand_present=np.array([side in group for side in SIDES]),
        handedness_known=len(hands) == 2,  # a hand without labels may still be in the crop
    )


def _sample_2d(
    annotation_id: int,
    picture: Path,
    joints_px: NDArray,
    valid: NDArray,
    hand_present: NDArray,
    handedness_known: bool,
) -> LabelledSample:
    return LabelledSample(
        annotation_id=annotation_id,
        picture=picture,
        intrinsics=None,
        joints_cam_mm=np.zeros((42, 3)),
        joint_cam_valid=np.zeros(42, bool),
        joints_px=joints_px,
        joint_px_valid=valid,
        hand_present=hand_present,
        box_px=box_around(joints_px, valid),
        handedness_known=handedness_known,
        interacting=bool(hand_present.all()),
    )


def _keypoints(flat: list[float]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(21, 2) pixels and (21,) validity in our order, zeros where not labelled."""
    keypoints = np.array(flat, np.float64).reshape(21, 3)[BASE_FIRST]
    valid = (keypoints[:, 2] > 0) & (keypoints[:, :2] > 0).any(axis=1)
    return keypoints[:, :2] * valid[:, None], valid


def _overlap(a: NDArray, b: NDArray) -> bool:
    return bool(np.all(a[:2] < b[:2] + b[2:]) and np.all(b[:2] < a[:2] + a[2:]))

"""STB, the stereo hand benchmark: one left hand, 3D joints.

Two published forms are understood: the original one (`labels/<sequence>_{BB,SK}.mat`, pictures in
`images/<sequence>/` or `<sequence>/`) and InterNet's (`STB_<train|test>.json`). Six people twice: B1 is the test.

The set labels the palm's centre and not the wrist. As is the custom, the wrist is put on the line from the ring
finger's base through the palm's centre, as far again (Zimmermann and Brox, 2017).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import SIDES, WRIST, Side
from training.datasets.files import content_of, first_existing, read_coco
from training.datasets.orders import LITTLE_FIRST
from training.datasets.sample import LabelledSample, box_around, in_rows_of, only

TEST_SEQUENCES: Final = ("B1Counting", "B1Random")
TRAIN_SEQUENCES: Final = tuple(f"B{person}{task}" for person in range(2, 7) for task in ("Counting", "Random"))
STEREO_INTRINSICS: Final = Intrinsics(822.79041, 822.79041, 318.47345, 250.31296)
"""Left camera of the Bumblebee pair (BB); its labels are in this camera's frame."""
COLOUR_INTRINSICS: Final = Intrinsics(607.92271, 607.88192, 314.78337, 236.42484)
"""Colour camera of the RealSense (SK); its labels are in the depth camera's frame."""
_DEPTH_FROM_COLOUR: Final = cv2.Rodrigues(np.array([0.00531, -0.01196, 0.00301]))[0]
_COLOUR_IN_DEPTH_MM: Final = np.array([-24.0381, -0.4563, -1.2326])
_FRAMES: Final = 1500
_RING_BASE: Final = 15
_MIDDLE_BASE: Final = 11
_MIDDLE_NEXT: Final = 10


def load_stb(root: Path, split: str, camera: str = "stereo") -> list[LabelledSample]:
    """All hands of a split, seen by the `stereo` pair's left camera or the `colour` camera.

    Raises UserError naming a missing or damaged file.
    """
    published = [root / f"STB_{split}.json", root / "annotations" / f"STB_{split}.json"]
    if any(path.exists() for path in published):
        return _load_json(root, first_existing(published, "annotation file"))
    sequences = TEST_SEQUENCES if split == "test" else TRAIN_SEQUENCES
    return [s for i, name in enumerate(sequences) for s in _load_sequence(root, name, camera, first_id=i * _FRAMES)]


def _load_sequence(root: Path, sequence: str, camera: str, first_id: int) -> list[LabelledSample]:
    if camera not in ("stereo", "colour"):
        raise UserError(f"camera {camera!r} is unknown; choose stereo or colour")
    code, prefix = ("BB", "BB_left") if camera == "stereo" else ("SK", "SK_color")
    path = first_existing(
        [root / "labels" / f"{sequence}_{code}.mat", root / f"{sequence}_{code}.mat"], "annotation file"
    )
    folder = first_existing([root / "images" / sequence, root / sequence], "folder of pictures")
    joints = _read_mat(path)
    if camera == "colour":
        joints = (joints - _COLOUR_IN_DEPTH_MM) @ _DEPTH_FROM_COLOUR
    intrinsics = STEREO_INTRINSICS if camera == "stereo" else COLOUR_INTRINSICS
    joints = with_wrist(joints[:, LITTLE_FIRST])
    return [
        _sample(first_id + i, folder / f"{prefix}_{i}.png", hand, intrinsics, sequence, i)
        for i, hand in enumerate(joints)
    ]


def _read_mat(path: Path) -> NDArray[np.float64]:
    """(F, 21, 3) mm in the set's own order."""
    try:
        content = loadmat(path, variable_names=["handPara"])
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise UserError(f"{path}: no MATLAB file that can be read ({error}); fetch the file again") from error
    with content_of(path):
        joints = np.asarray(content["handPara"], np.float64)
        if joints.ndim != 3 or joints.shape[:2] != (3, 21):
            raise ValueError(f"handPara of shape {joints.shape}, not (3, 21, frames)")
        return joints.transpose(2, 1, 0)


def _load_json(root: Path, path: Path) -> list[LabelledSample]:
    images, annotations = read_coco(path)
    home = root / "images" if (root / "images").is_dir() else root
    with content_of(path):
        joints = np.array([a["joint_cam"] for a in annotations], np.float64).reshape(-1, 21, 3)[:, LITTLE_FIRST]
        if len(joints) and not _has_wrist(joints):
            joints = with_wrist(joints)
        return [
            _from_json(home, a, images[int(a["image_id"])], hand) for a, hand in zip(annotations, joints, strict=True)
        ]


def _from_json(home: Path, annotation: dict[str, Any], image: dict[str, Any], hand: NDArray) -> LabelledSample:
    side: Side = annotation.get("hand_type", "left")
    if side not in SIDES:
        raise ValueError(f"hand_type {side!r}")
    camera = image["cam_param"]
    intrinsics = Intrinsics(*map(float, [*camera["focal"], *camera["princpt"]]))
    sequence = str(image["seq_name"])
    picture = home / sequence / Path(image["file_name"]).name
    return _sample(int(annotation["id"]), picture, hand, intrinsics, sequence, int(image["id"]), side)


def _sample(
    annotation_id: int,
    picture: Path,
    joints_mm: NDArray,
    intrinsics: Intrinsics,
    sequence: str,
    frame: int,
    side: Side = "left",
) -> LabelledSample:
    valid = in_rows_of(side, np.ones(21, bool))
    pixels = in_rows_of(side, project(joints_mm, intrinsics))
    return LabelledSample(
        annotation_id=annotation_id,
        picture=picture,
        intrinsics=intrinsics,
        joints_cam_mm=in_rows_of(side, joints_mm),
        joint_cam_valid=valid,
        joints_px=pixels,
        joint_px_valid=valid,
        hand_present=only(side),
        box_px=box_around(pixels, valid),
        sequence=sequence,
        frame=frame,
    )


def with_wrist(joints_mm: NDArray) -> NDArray[np.float64]:
    """(F, 21, 3) in our order, the palm's centre in the last row replaced by the wrist."""
    moved = joints_mm.copy()
    moved[:, WRIST] = 2 * joints_mm[:, WRIST] - joints_mm[:, _RING_BASE]
    return moved


def _has_wrist(joints_mm: NDArray) -> bool:
    """Whether the last row is the wrist and not the palm's centre: the file does not say, the hand's measures do.

    From the middle finger's base it is twice the finger's first bone to the wrist, and about once to the palm.
    """
    bone = np.linalg.norm(joints_mm[:, _MIDDLE_NEXT] - joints_mm[:, _MIDDLE_BASE], axis=-1)
    back = np.linalg.norm(joints_mm[:, WRIST] - joints_mm[:, _MIDDLE_BASE], axis=-1)
    return bool(np.median(back / np.maximum(bone, 1.0e-6)) > 1.5)

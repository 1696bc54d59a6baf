"""The label files of InterHand2.6M as columns: nothing in memory that grows with their number but arrays.

An annotation takes about 0.12 kB this way. As dictionaries, which is what `json` makes of 1.4 million of them, each
takes 6 kB, and every loader process ends up with a copy (see `texts`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics
from training.datasets.files import content_of, read_coco, read_json
from training.datasets.interhand.texts import CodedTexts, rows_of_pairs

FORM: Final = 1
"""Version of the columns, for a cache of them."""
HAND_TYPES: Final = ("right", "left", "interacting")


class LabelFiles(NamedTuple):
    """The three files of a split."""

    data: Path
    camera: Path
    joint_3d: Path

    @classmethod
    def of(cls, folder: Path, split: str) -> LabelFiles:
        """Under their published names."""
        return cls(*(folder / f"InterHand2.6M_{split}_{name}.json" for name in cls._fields))


@dataclass(frozen=True, eq=False)
class Labels:
    """N annotations, each with its picture's fields; K cameras; F frames of joints."""

    annotation_id: NDArray[np.int64]
    """(N,)."""
    box_px: NDArray[np.float64]
    """(N, 4) x, y, width, height."""
    joint_valid: NDArray[np.bool_]
    """(N, 42)."""
    hand_type: NDArray[np.int8]
    """(N,) which of `HAND_TYPES`."""
    hand_type_valid: NDArray[np.bool_]
    """(N,)."""
    camera_row: NDArray[np.int32]
    """(N,) 0 .. K - 1, or -1: not in its file."""
    world_row: NDArray[np.int32]
    """(N,) 0 .. F - 1, or -1: not in its file."""
    capture: CodedTexts
    camera: CodedTexts
    sequence: CodedTexts
    frame: CodedTexts
    folder: CodedTexts
    """Of the picture, with the slash at its end."""
    picture: CodedTexts
    """Its name in that folder."""
    camera_from_world: NDArray[np.float64]
    """(K, 3, 3) rotations."""
    camera_position_mm: NDArray[np.float64]
    """(K, 3) world frame."""
    intrinsics_px: NDArray[np.float64]
    """(K, 4) fx, fy, cx, cy."""
    world_mm: NDArray[np.float32]
    """(F, 42, 3)."""

    def arrays(self) -> dict[str, NDArray]:
        """All columns by name, those of texts as three."""
        flat: dict[str, NDArray] = {}
        for name, value in vars(self).items():
            parts = vars(value) if isinstance(value, CodedTexts) else {}
            flat |= {f"{name}.{part}": array for part, array in parts.items()} or {name: value}
        return flat

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray]) -> Labels:
        """The inverse of `arrays`."""
        columns: dict[str, Any] = {}
        for field in fields(cls):
            parts = {name.partition(".")[2]: a for name, a in arrays.items() if name.startswith(f"{field.name}.")}
            columns[field.name] = CodedTexts(**parts) if parts else arrays[field.name]
        return cls(**columns)


def read_labels(files: LabelFiles) -> Labels:
    """Read the three files; raises UserError naming what is missing, damaged or contradicts itself.

    A camera or frame of an annotation that is not in its file is no error yet: nobody may ask for that sample.
    """
    columns = _annotation_columns(files.data)
    cameras, camera_columns = _cameras(files.camera)
    frames, world_mm = _world_joints(files.joint_3d)
    return Labels(
        **columns,
        camera_row=rows_of_pairs(columns["capture"], columns["camera"], cameras),
        world_row=rows_of_pairs(columns["capture"], columns["frame"], frames),
        **camera_columns,
        world_mm=world_mm,
    )


def _annotation_columns(path: Path) -> dict[str, Any]:
    """Columns with one row for each annotation."""
    images, annotations = read_coco(path, _with_flags_packed)
    count = len(annotations)
    with content_of(path):
        of_each = [images[int(annotation["image_id"])] for annotation in annotations]
        return {
            "annotation_id": np.array([int(annotation["id"]) for annotation in annotations], np.int64),
            "box_px": np.array([annotation["bbox"] for annotation in annotations], np.float64).reshape(count, 4),
            "joint_valid": _joint_valid(annotations),
            "hand_type": np.array([_hand_type(annotation["hand_type"]) for annotation in annotations], np.int8),
            "hand_type_valid": np.array([bool(annotation["hand_type_valid"]) for annotation in annotations], bool),
            "capture": CodedTexts.of(str(image["capture"]) for image in of_each),
            "camera": CodedTexts.of(str(image["camera"]) for image in of_each),
            "sequence": CodedTexts.of(str(image["seq_name"]) for image in of_each),
            "frame": CodedTexts.of(str(image["frame_idx"]) for image in of_each),
            "folder": CodedTexts.of("".join(image["file_name"].rpartition("/")[:2]) for image in of_each),
            "picture": CodedTexts.of(image["file_name"].rpartition("/")[2] for image in of_each),
        }


def _with_flags_packed(fields_read: dict[str, Any]) -> dict[str, Any]:
    """Called by the JSON reader for every object: 42 lists of one number are four fifths of an annotation's memory.

    What cannot be packed is left for `_joint_valid`, which says what is wrong and in which file.
    """
    if "joint_valid" in fields_read:
        with suppress(ValueError, TypeError, OverflowError):
            fields_read["joint_valid"] = _flags(fields_read["joint_valid"])
    return fields_read


def _flags(values: Any) -> NDArray[np.int8]:
    return np.array(values, np.int8).reshape(42)


def _joint_valid(annotations: list[dict[str, Any]]) -> NDArray[np.bool_]:
    valid = np.zeros((len(annotations), 42), bool)
    for row, annotation in enumerate(annotations):
        valid[row] = _flags(annotation["joint_valid"]) > 0
    return valid


def _hand_type(name: Any) -> int:
    if name not in HAND_TYPES:
        raise ValueError(f"hand_type {name!r}")
    return HAND_TYPES.index(name)


def _cameras(path: Path) -> tuple[dict[tuple[str, str], int], dict[str, Any]]:
    """(row of (capture, camera), columns with one row for each camera)."""
    rows: dict[tuple[str, str], int] = {}
    turns, positions, intrinsics = [], [], []
    content = read_json(path)
    with content_of(path):
        for capture, views in content.items():
            for name in views["camrot"]:
                rows[capture, name] = len(rows)
                turns.append(np.array(views["camrot"][name], np.float64).reshape(3, 3))
                positions.append(np.array(views["campos"][name], np.float64).reshape(3))
                lens = Intrinsics(*map(float, [*views["focal"][name], *views["princpt"][name]]))
                intrinsics.append(lens.as_array())
    columns = {
        "camera_from_world": np.array(turns).reshape(-1, 3, 3),
        "camera_position_mm": np.array(positions).reshape(-1, 3),
        "intrinsics_px": np.array(intrinsics).reshape(-1, 4),
    }
    return rows, columns


def _world_joints(path: Path) -> tuple[dict[tuple[str, str], int], NDArray[np.float32]]:
    """(row of (capture, frame), (F, 42, 3) world mm)."""
    rows: dict[tuple[str, str], int] = {}
    joints = []
    content = read_json(path, _with_joints_packed)
    with content_of(path):
        for capture, frames in content.items():
            for frame, labels in frames.items():
                rows[capture, frame] = len(rows)
                joints.append(_points(labels["world_coord"]))
    return rows, np.array(joints, np.float32).reshape(-1, 42, 3)


def _with_joints_packed(fields_read: dict[str, Any]) -> dict[str, Any]:
    """As `_with_flags_packed`, for a frame of `joint_3d`."""
    if "world_coord" not in fields_read:
        return fields_read
    with suppress(ValueError, TypeError, OverflowError):
        return {"world_coord": _points(fields_read["world_coord"])}
    return fields_read


def _points(values: Any) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(42, 3)

"""The per-frame fields of a track file as named columns, one row a frame: what CSV and Parquet hold (any thread)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import JOINT_NAMES, SIDES
from realtime.tracks.schema import FRAME_FIELDS, ROOT_DEPTH_NAMES, Tracks

JOINT_COLUMNS = tuple(f"{side}_{joint}" for side in SIDES for joint in JOINT_NAMES)
"""Names of the 42 joints: `right_thumb4` .. `left_wrist`."""
_ENDINGS = {
    "joints_cam_mm": ("x_mm", "y_mm", "z_mm"),
    "joints_px": ("u_px", "v_px"),
    "joint_rotations": ("qx", "qy", "qz", "qw"),
    "joint_confidence": ("confidence",),
    "crops_px": ("x_px", "y_px", "side_px", "angle_rad"),
}


def column_names(field: str) -> list[str]:
    """Columns of a per-frame field, in the order of its flattened values."""
    shape = FRAME_FIELDS[field][1]
    if shape == ():
        return [field]
    if shape == (2,):
        return [f"{side}_{field}" for side in SIDES]
    owners = JOINT_COLUMNS if shape[0] == len(JOINT_COLUMNS) else tuple(f"crop{i + 1}" for i in range(shape[0]))
    return [f"{owner}_{ending}" for owner in owners for ending in _ENDINGS[field]]


def columns(tracks: Tracks) -> Iterator[tuple[str, NDArray]]:
    """Name and values (F,) of every column; NaN where there is no hand, `root_depth_from` as text."""
    for field in FRAME_FIELDS:
        names = column_names(field)
        values = getattr(tracks, field).reshape(len(tracks), len(names))
        if field == "root_depth_from":
            values = np.array(ROOT_DEPTH_NAMES)[values]
        yield from zip(names, values.T, strict=True)

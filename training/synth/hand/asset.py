"""The hand mesh all synthetic hands are made from (numpy only; any thread).

`hand_asset.npz` and `hand_features.png` derive from MakeHuman / MPFB2 data (CC0): the right hand and forearm, re-rigged
to InterHand2.6M's joints, one subdivision level, 12 principal shape components of 400 random persons.

Hand frame of the asset (right hand, rest pose): origin at MakeHuman's wrist, x radial (towards the thumb), y distal
(towards the finger tips), z palmar; millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError

FOREARM_BONE: Final = 0
HAND_BONE: Final = 1
BONE_COUNT: Final = 17
_FOLDER: Final = Path(__file__).parent


def phalanx_bone(finger: int, k: int) -> int:
    """Bone index of phalanx k (0 nearest to the palm) of finger 0 (thumb) to 4 (little)."""
    return 2 + 3 * finger + k


def finger_joint(finger: int, k: int) -> int:
    """Joint index (InterHand2.6M order) of finger 0..4 counted from its base: k = 0 base .. 3 tip."""
    return 4 * finger + 3 - k


@dataclass(frozen=True)
class HandAsset:
    """The mean hand and its shape space, uncorrected (see `shape.py`); arrays are read-only."""

    vertices_mm: NDArray[np.float32]
    """(N, 3) rest pose."""
    vertex_components_mm: NDArray[np.float32]
    """(12, N, 3) one standard deviation each."""
    bone_weights: NDArray[np.float32]
    """(N, 17) skinning weights; rows sum to 1."""
    triangles: NDArray[np.int32]
    """(T, 3) into `vertices_mm`, counter-clockwise seen from outside."""
    render_triangles: NDArray[np.int32]
    """(T, 3) into the render vertices, which split along the texture's seams."""
    render_vertex: NDArray[np.int32]
    """(R,) vertex of each render vertex."""
    render_uv: NDArray[np.float32]
    """(R, 2) texture coordinates; inside 0..1 only on the hand."""
    joints_mm: NDArray[np.float64]
    """(21, 3)."""
    joint_components_mm: NDArray[np.float64]
    """(12, 21, 3)."""
    elbow_mm: NDArray[np.float64]
    """(3,) end of the forearm."""
    elbow_components_mm: NDArray[np.float64]
    """(12, 3)."""
    flexion_axes: NDArray[np.float64]
    """(5, 3) axis of each finger about which a positive angle flexes."""


@lru_cache(maxsize=1)
def load_asset() -> HandAsset:
    """Read the asset beside this file once; a damaged or missing file raises `UserError`."""
    try:
        with np.load(_FOLDER / "hand_asset.npz", allow_pickle=False) as stored:
            asset = _unpack({name: stored[name] for name in stored.files})
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{_FOLDER / 'hand_asset.npz'} is missing or damaged: check the file out again") from error
    for array in vars(asset).values():
        array.setflags(write=False)
    return asset


def load_feature_map() -> NDArray[np.uint8]:
    """(H, W, 4) uint8 texture: palm, redness of knuckles and tips, creases, nails; row 0 at v = 1."""
    picture = cv2.imread(str(_FOLDER / "hand_features.png"), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
        raise UserError(f"{_FOLDER / 'hand_features.png'} is missing or damaged: check the file out again")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA), np.uint8)


def _unpack(stored: dict[str, NDArray]) -> HandAsset:
    count = len(stored["vertices_mm"])
    weights = np.zeros((count, BONE_COUNT), np.float32)
    np.put_along_axis(weights, stored["bone_index"].astype(np.int64), stored["bone_weight"] / np.float32(255), axis=1)
    step = stored["component_step_mm"][:, None, None]
    render_vertex = stored["render_vertex"].astype(np.int32)
    render_triangles = stored["triangles"].astype(np.int32)
    return HandAsset(
        vertices_mm=stored["vertices_mm"],
        vertex_components_mm=stored["vertex_components"].astype(np.float32) * step,
        bone_weights=weights,
        triangles=render_vertex[render_triangles],
        render_triangles=render_triangles,
        render_vertex=render_vertex,
        render_uv=stored["render_uv"],
        joints_mm=stored["joints_mm"].astype(np.float64),
        joint_components_mm=stored["joint_components_mm"].astype(np.float64),
        elbow_mm=stored["elbow_mm"].astype(np.float64),
        elbow_components_mm=stored["elbow_components_mm"].astype(np.float64),
        flexion_axes=stored["flexion_axes"].astype(np.float64),
    )

"""A tiny set of "real hands" for the training tests: discs on grey, with the masks that real labels have."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.small_bank import SIZE_PX

PICTURE_PX = 192
EDGE_PX = 140
"""The photograph ends here: black to the right of it."""


def fan(middle: tuple[float, float], size: float, spread_rad: float = 0.35, bone: float = 0.2) -> NDArray[np.float32]:
    """(21, 2) joints of a hand that points up, in InterHand2.6M's order; `bone` is a finger's, in sizes."""
    joints = np.zeros((21, 2), np.float32)
    for finger in range(5):
        direction = np.array([np.sin(spread_rad * (finger - 2)), -np.cos(spread_rad * (finger - 2))])
        for k in range(4):
            joints[4 * finger + k] = direction * size * (1 - bone * k)
    return joints + np.array(middle, np.float32)


def write_set(root: Path, name: str = "home", count: int = 12) -> None:
    """Pictures 0, 3, ...: both hands; 1, 4, ...: right only, other known; 2, 5, ...: left only, other unknown."""
    root.mkdir(parents=True, exist_ok=True)
    joints = np.full((count, 42, 2), np.nan, np.float32)
    depth = np.zeros((count, 42), np.float32)
    known, main, other = np.zeros((count, 42), bool), np.ones(count, bool), np.ones(count, bool)
    with tarfile.open(root / f"{name}.tar", "w") as archive:
        for i in range(count):
            if i % 3 != 2:
                joints[i, :21] = fan((70, 120), 50)
                known[i, :10] = True
            if i % 3 != 1:
                joints[i, 21:] = fan((122, 120), 40)
                known[i, 21:] = True
            main[i], other[i] = i % 3 != 2, i % 3 != 2
            depth[i, :21], depth[i, 21:] = 11, -7
            depth[i, 1] = 500  # beyond what the network can say
            add_picture(archive, i, _picture(joints[i]))
    np.savez(
        root / f"{name}.npz",
        joints_px=joints,
        joint_depth_mm=depth,
        depth_known=known,
        right_is_main=main,
        other_hand_known=other,
    )


def add_picture(archive: tarfile.TarFile, row: int, picture_bgr: NDArray[np.uint8]) -> None:
    """Picture `row` of a set."""
    blob = cv2.imencode(".png", picture_bgr)[1].tobytes()
    info = tarfile.TarInfo(f"{row:05d}.png")
    info.size = len(blob)
    archive.addfile(info, io.BytesIO(blob))


def _picture(joints: NDArray) -> NDArray[np.uint8]:
    """Grey, with green discs on right joints and red ones on left joints; black beyond the edge."""
    picture = np.full((PICTURE_PX, PICTURE_PX, 3), 90, np.uint8)
    for k, (u, v) in enumerate(joints):
        if not np.isnan(u):
            colour = (0, 255, 0) if k < 21 else (0, 0, 255)
            cv2.circle(picture, (round(float(u) * 16), round(float(v) * 16)), 48, colour, -1, cv2.LINE_AA, 4)
    picture[:, EDGE_PX:] = 0
    return picture


def settings_file(root: Path, changes: str = "") -> Path:
    path = root / "run.yaml"
    path.write_text(f"""
data:
  banks:
    - {{root: {root}/bank, train: ["1"], validation: ["2"], share: 0.6}}
    - {{root: {root}/real, kind: real, train: [all], share: 0.4}}
  backgrounds: {root}/photos
  cache: {root}/cache
  picture_px: {SIZE_PX}
  real_px: {PICTURE_PX}
  crop_px: 96
schedule: {{samples: 40, decay_from: 20, warmup: 8, release_trunk: 0}}
batch: 10
bfloat16: false
validate_every: 20
output: {root}/out
{changes}
""")
    return path

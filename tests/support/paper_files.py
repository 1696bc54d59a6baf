"""Small made-up data sets with hands drawn into their pictures, and settings that train on them in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from engines.geometry.pinhole import project
from tests.support.dataset_files import CAMERA, SIZE_PX, interhand26m

COLOURS = ((40, 60, 230), (230, 80, 40))
"""BGR of the right hand's joints and the left one's."""


def drawn_interhand(root: Path, split: str = "train") -> NDArray[np.float64]:
    """`dataset_files.interhand26m` with a disc on every joint; returns (4, 42, 3) camera mm."""
    joints = interhand26m(root, split)
    for i, hands in enumerate(joints):
        picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 60 + 20 * i, np.uint8)
        for row in np.nonzero(hands[:, 2])[0]:
            x, y = project(hands[row], CAMERA)
            cv2.circle(picture, (round(x), round(y)), 5, COLOURS[row // 21], -1, cv2.LINE_AA)
        path = root / "images" / split / f"Capture0/seq{i}/cam400/image{i}.jpg"
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
    return joints


def drawn_tzionas(root: Path, frames: int) -> None:
    """Two hands with 2D labels of 14 joints each."""
    rng = np.random.default_rng(0)
    folder = root / "01" / "1"
    (folder / "rgb").mkdir(parents=True)
    (folder / "joints_2D_GT").mkdir()
    for i in range(frames):
        points = np.concatenate([rng.uniform(40, 140, (14, 2)), rng.uniform(150, 230, (14, 2))])
        picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 90, np.uint8)
        for row, (x, y) in enumerate(points):
            cv2.circle(picture, (round(x), round(y)), 5, COLOURS[row // 14], -1, cv2.LINE_AA)
        cv2.imwrite(str(folder / "rgb" / f"{i:03d}.png"), picture)
        lines = [f"{k} {x:.2f} {y:.2f}" for k, (x, y) in enumerate(points)]
        (folder / "joints_2D_GT" / f"{i:03d}.txt").write_text("\n".join(lines))


def write_config(path: Path, parts: list[dict[str, Any]], **changes: Any) -> Path:
    """A run of InterNet on a ResNet-18 and crops of 64 px; an epoch of the four samples is one step."""
    values: dict[str, Any] = {
        "network": "internet",
        "data": {"train": parts, "crop_px": 64, "workers": 0},
        "schedule": {"epochs": 4, "learning_rate": 1.0e-3},
        "augmentation": {"shift": 0.15, "scale": 0.25, "roll_deg": 45, "flip": 0.5, "colour": 0.2},
        "depth": 18,
        "trunk": None,
        "batch": 4,
        "device": "cpu",
        "validate_every": 4,
        "output": str(path.parent / "out"),
    }
    path.write_text(yaml.safe_dump(values | changes))
    return path

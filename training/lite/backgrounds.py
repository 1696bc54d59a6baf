"""Photographs to put behind rendered hands, kept in memory as one tensor of square pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.errors import UserError
from training.datasets.synthetic import PHOTO_SUFFIXES

SIDE_PX = 256
_CROPS_PER_PANORAMA = 16


def load_backgrounds(root: Path, seed: int = 0) -> Tensor:
    """(M, 3, 256, 256) uint8 RGB from all photographs and HDR panoramas below `root`.

    Raises UserError if the folder holds none.
    """
    rng = np.random.default_rng(seed)
    squares: list[NDArray[np.uint8]] = []
    for path in sorted(root.rglob("*")):
        squares += squares_of(path, rng)
    if not squares:
        raise UserError(f"{root}: no photographs there; set data.backgrounds to a folder of pictures without hands")
    return torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2).copy())


def squares_of(path: Path, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """(256, 256, 3) RGB squares of a photograph, views of a panorama, nothing of any other file."""
    if path.suffix.lower() in PHOTO_SUFFIXES:
        return _photo_squares(path)
    return _panorama_squares(path, rng) if path.suffix.lower() in {".hdr", ".exr"} else []


def _photo_squares(path: Path) -> list[NDArray[np.uint8]]:
    """One or two squares of a photograph, so that a wide one is not squeezed."""
    photo = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photo is None:
        return []
    rgb = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
    side = min(rgb.shape[:2])
    starts = {0, max(rgb.shape[:2]) - side}
    wide = rgb.shape[1] > rgb.shape[0]
    parts = [rgb[:side, s : s + side] if wide else rgb[s : s + side, :side] for s in starts]
    return [cv2.resize(part, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for part in parts]


def _panorama_squares(path: Path, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Random views of an equirectangular panorama near its horizon, exposed as a camera would."""
    panorama = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if panorama is None:
        return []
    rgb = cv2.cvtColor(panorama[..., :3], cv2.COLOR_BGR2RGB)
    height, width = rgb.shape[:2]
    views = []
    for _ in range(_CROPS_PER_PANORAMA):
        side = int(height * rng.uniform(0.25, 0.5))
        top = int(rng.uniform(0.2, 0.8) * (height - side))
        columns = (int(rng.integers(width)) + np.arange(side)) % width
        view = rgb[top : top + side][:, columns].astype(np.float32)
        exposed = (view / max(float(np.percentile(view, 90)), 1.0e-6)).clip(0, 1) ** (1 / 2.2)
        square = cv2.resize(exposed, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        views.append((square * 255).astype(np.uint8))
    return views

"""Measure what detectors take for a joint, on rendered hands whose joints are exact (one thread).

Single hands of a bank's shards, upright in crops that are laid as roughly as in use, on grey.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, crop_around, upright_angle_rad
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, SIDES, Side
from training.annotation.cameras.camera import Camera
from training.annotation.detection.offsets import axes_in_picture, fit_offsets
from training.annotation.detection.readers import Reader
from training.banks.bank import HandBank, load_bank

_PICTURE_PX: Final = 320
_CROP_PX: Final = 256.0
"""Distances are told as in crops of this side."""
_ASTRAY_PX: Final = 40.0
_GREY: Final = 120.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Meaning:
    """One detector's offsets, and what taking them off leaves."""

    offsets: Floats
    """(21, 3) shares of the palm, as in `offsets.offsets_of`."""
    hands: int
    before_px: float
    """Median distance from the truth, of crops of 256 px."""
    after_px: float


def measure(readers: dict[str, Reader], root: Path, shards: Sequence[str], cache: Path) -> dict[str, Meaning]:
    """Every reader's meaning on the single hands of shards; raises UserError if those cannot be read or are too few."""
    off: dict[str, list[Floats]] = {name: [] for name in readers}
    slopes: dict[str, list[Floats]] = {name: [] for name in readers}
    for picture, camera, hand_mm, side, crop in _hands(load_bank(root, list(shards), _PICTURE_PX, cache)):
        scale = _CROP_PX / crop.side_px
        true_px, axes = camera.project(hand_mm), axes_in_picture(camera, hand_mm, side)
        for name, reader in readers.items():
            apart = (reader(picture, crop, side).joints_px - true_px) * scale
            if np.linalg.norm(apart, axis=-1).max() < _ASTRAY_PX:
                off[name].append(apart)
                slopes[name].append(axes * scale)
    return {name: _meaning(np.array(off[name]), np.array(slopes[name])) for name in readers}


def _meaning(off: Floats, slopes: Floats) -> Meaning:
    offsets = fit_offsets(off, slopes)
    left = off - np.einsum("njki,ji->njk", slopes, offsets)
    before, after = (float(np.median(np.linalg.norm(part, axis=-1))) for part in (off, left))
    return Meaning(offsets, len(off), before, after)


def _hands(bank: HandBank) -> Iterator[tuple[NDArray[np.uint8], Camera, Floats, Side, Crop]]:
    rng = np.random.default_rng(0)
    for row in np.flatnonzero(bank.hand_present.sum(axis=1) == 1):
        side = SIDES[int(bank.hand_present[row, 1])]
        fx, fy, cx, cy = (float(v) for v in bank.intrinsics_px[row])
        size = (bank.size_px, bank.size_px)
        camera = Camera("bank", size, Intrinsics(fx, fy, cx, cy), np.eye(3), np.zeros(3))
        hand_mm = bank.joints_cam_mm[row, HAND_SLICES[side]].astype(np.float64)
        joints_px = camera.project(hand_mm)
        exact = crop_around(joints_px, upright_angle_rad([joints_px]))
        turn, size_px = exact.angle_rad + rng.normal(0, 0.15), exact.side_px * float(np.exp(rng.normal(0, 0.08)))
        yield _on_grey(bank.pictures[row]), camera, hand_mm, side, Crop(exact.center_px, size_px, turn)


def _on_grey(premultiplied: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(4, S, S) RGBA -> (S, S, 3) BGR."""
    alpha = premultiplied[3:].astype(np.float32) / 255
    rgb = premultiplied[:3] + _GREY * (1 - alpha)
    return np.ascontiguousarray(np.clip(rgb, 0, 255).astype(np.uint8)[::-1].transpose(1, 2, 0))

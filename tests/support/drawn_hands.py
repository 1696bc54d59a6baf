"""Hands drawn before a wall as real sets have them, each with its arm: to be cut out, and known to the pixel."""

from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONES, FINGER_BASES, WRIST
from tests.support.real_set import add_picture, fan
from training.banks.real_bank import STORED_PX

SKINS = ((224, 172, 140), (122, 82, 60), (240, 200, 180), (180, 120, 90))


def drawn(
    skin: tuple[int, int, int], rng: np.random.Generator, finger_px: int = 13
) -> tuple[NDArray, NDArray, NDArray]:
    """(P, P, 3) RGB hand and arm before a coloured wall, black to the right; (P, P) where they are; (21, 2) joints."""
    joints = fan((140 + rng.uniform(-8, 8), 170), 76, spread_rad=0.32, bone=0.165)
    size = STORED_PX
    mask = np.zeros((size, size), np.uint8)
    points = np.round(joints).astype(int)
    for child, parent in BONES:
        cv2.line(mask, points[child].tolist(), points[parent].tolist(), 255, finger_px, cv2.LINE_AA)
    cv2.fillConvexPoly(mask, cv2.convexHull(points[[WRIST, *FINGER_BASES]].astype(np.int32)), 255)
    cv2.line(mask, points[WRIST].tolist(), [int(points[WRIST][0]), size], 255, 26)
    wall = np.stack([np.full((size, size), v, np.float32) for v in (60, 110, 150)], -1) + rng.normal(
        0, 12, (size, size, 1)
    )
    hand = np.array(skin) + rng.normal(0, 6, (size, size, 1))
    share = mask[..., None] / 255
    picture = np.clip(hand * share + wall * (1 - share), 0, 255).astype(np.uint8)
    picture[:, 270:] = 0
    return picture, mask > 127, joints


def write_hands(root: Path, name: str, count: int, seed: int = 0) -> list[NDArray]:
    """A set of right hands, and where each is."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    joints, masks = np.full((count, 42, 2), np.nan, np.float32), []
    with tarfile.open(root / f"{name}.tar", "w") as archive:
        for i in range(count):
            picture, mask, joints[i, :21] = drawn(SKINS[i % len(SKINS)], rng)
            masks.append(mask)
            add_picture(archive, i, picture[..., ::-1])
    np.savez(
        root / f"{name}.npz",
        joints_px=joints,
        joint_depth_mm=np.tile(np.arange(42, dtype=np.float32), (count, 1)),
        depth_known=np.tile(np.arange(42) < 15, (count, 1)),
        right_is_main=np.ones(count, bool),
        other_hand_known=np.ones(count, bool),
    )
    return masks

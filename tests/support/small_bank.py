"""A tiny bank of "hands" for the training tests: discs on a transparent ground, with labels that are exact."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE_PX = 160
MASK_CELLS = 80
FOCAL_PX = 250.0


def hand_mm(rng: np.random.Generator, wrist_mm: NDArray) -> NDArray[np.float64]:
    """(21, 3) fingers that fan out upwards from the wrist."""
    joints = np.zeros((21, 3))
    for finger in range(5):
        direction = np.array([np.sin(0.35 * (finger - 2)), -np.cos(0.35 * (finger - 2)), rng.normal(0, 0.15)])
        for k in range(4):
            joints[4 * finger + k] = direction * (80 - 16 * k)
    return joints + wrist_mm


def write_shard(root: Path, name: str, count: int, seed: int) -> None:
    """One shard: every third sample has both hands, the others one."""
    rng = np.random.default_rng(seed)
    joints, valid = np.zeros((count, 42, 3), np.float32), np.zeros((count, 42), np.uint8)
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / f"shard-{name}.tar", "w") as archive:
        for i in range(count):
            for hand in (0, 1) if i % 3 == 0 else (i % 2,):
                rows = slice(21 * hand, 21 * hand + 21)
                joints[i, rows] = hand_mm(rng, np.array([60.0 * (2 * hand - 1), 40, rng.uniform(480, 560)]))
                valid[i, rows] = 1
            blob = cv2.imencode(".webp", _picture(joints[i], valid[i]))[1].tobytes()
            info = tarfile.TarInfo(f"{i:05d}.webp")
            info.size = len(blob)
            archive.addfile(info, io.BytesIO(blob))
    intrinsics = np.tile(np.array([FOCAL_PX, FOCAL_PX, SIZE_PX / 2, SIZE_PX / 2], np.float32), (count, 1))
    modes = np.array(["heart" if v[[20, 41]].all() else "single" for v in valid])
    masks = np.stack([_mask(*one) for one in zip(joints, valid, strict=True)])
    labels = {"joints_cam_mm": joints, "joint_valid": valid, "intrinsics_px": intrinsics, "mode": modes, "mask": masks}
    np.savez(root / f"shard-{name}.npz", **labels)


def _picture(joints: NDArray, valid: NDArray) -> NDArray[np.uint8]:
    picture = np.zeros((SIZE_PX, SIZE_PX, 4), np.uint8)
    for joint in joints[valid > 0]:
        u, v = FOCAL_PX * joint[:2] / joint[2] + SIZE_PX / 2 - 0.5
        cv2.circle(picture, (round(float(u) * 16), round(float(v) * 16)), 32, (90, 130, 200, 255), -1, cv2.LINE_AA, 4)
    return picture


def _mask(joints: NDArray, valid: NDArray) -> NDArray[np.uint8]:
    """1 and 2 within the right and the left hand's outline."""
    mask = np.zeros((MASK_CELLS, MASK_CELLS), np.uint8)
    for hand in np.nonzero(valid[[20, 41]])[0]:
        own = joints[21 * hand : 21 * hand + 21]
        cells = (FOCAL_PX * own[:, :2] / own[:, 2:] / SIZE_PX + 0.5) * MASK_CELLS - 0.5
        cv2.fillConvexPoly(mask, cv2.convexHull(cells.round().astype(np.int32)), int(hand) + 1)
    return mask


def write_backgrounds(root: Path) -> None:
    """Two photographs and a panorama."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(2):
        cv2.imwrite(str(root / f"{i}.png"), rng.integers(0, 255, (90, 130, 3), np.uint8))
    cv2.imwrite(str(root / "room.hdr"), rng.random((64, 128, 3)).astype(np.float32))

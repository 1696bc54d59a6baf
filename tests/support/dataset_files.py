"""Small data sets in the form in which the real ones are published: a few grey pictures and exact labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import WRIST
from tests.support.small_bank import hand_mm
from training.datasets.orders import LITTLE_FIRST

CAMERA = Intrinsics(500.0, 510.0, 160.0, 120.0)
SIZE_PX = (320, 240)


def hand(seed: int = 0, x_mm: float = 0.0) -> NDArray[np.float64]:
    """(21, 3) mm in our order, in front of the camera."""
    return hand_mm(np.random.default_rng(seed), np.array([x_mm, 40.0, 600.0 + seed]))


def in_their_order(joints: NDArray, order: NDArray) -> NDArray:
    """The inverse of `theirs[order]`."""
    theirs = np.zeros_like(joints)
    theirs[order] = joints
    return theirs


def write_picture(path: Path, size_px: tuple[int, int] = SIZE_PX) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size_px[1], size_px[0], 3), 90, np.uint8))


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def flat_keypoints(joints_px: NDArray, valid: NDArray | None = None) -> list[float]:
    """COCO's x, y, v of 21 joints."""
    flags = np.ones(21) if valid is None else valid
    return np.concatenate([joints_px * flags[:, None], flags[:, None]], axis=1).ravel().tolist()


def interhand26m(root: Path, split: str = "test") -> NDArray[np.float64]:
    """Four samples (right, left, interacting, interacting without the left wrist); returns (4, 42, 3) camera mm."""
    turn = cv2.Rodrigues(np.array([0.2, -0.4, 0.1]))[0]
    position = np.array([120.0, -60.0, 300.0])
    camera_mm = np.zeros((4, 42, 3))
    valid = np.zeros((4, 42), int)
    for i, hands in enumerate(((0,), (1,), (0, 1), (0, 1))):
        for h in hands:
            camera_mm[i, 21 * h : 21 * h + 21] = hand(i + h, 70.0 * (2 * h - 1))
            valid[i, 21 * h : 21 * h + 21] = 1
    valid[3, 41] = 0
    kinds = ("right", "left", "interacting", "interacting")
    images, annotations = [], []
    joints: dict[str, Any] = {"0": {}}
    for i, kind in enumerate(kinds):
        name = f"Capture0/seq{i}/cam400/image{i}.jpg"
        write_picture(root / "images" / split / name)
        images.append(
            {"id": 10 + i, "file_name": name, "width": 320, "height": 240, "capture": 0, "subject": 0}
            | {"seq_name": f"seq{i}", "camera": "400", "frame_idx": i}
        )
        pixels = project(camera_mm[i][valid[i] > 0], CAMERA)
        low, size = pixels.min(0), np.ptp(pixels, axis=0) * 1.2
        annotations.append(
            {"id": 100 + i, "image_id": 10 + i, "bbox": [*(low + np.ptp(pixels, axis=0) / 2 - size / 2), *size]}
            | {"joint_valid": valid[i][:, None].tolist(), "hand_type": kind, "hand_type_valid": 1}
        )
        joints["0"][str(i)] = {"world_coord": (camera_mm[i] @ turn + position).tolist()}
    view = {"campos": {"400": position.tolist()}, "camrot": {"400": turn.tolist()}}
    view |= {"focal": {"400": [CAMERA.fx, CAMERA.fy]}, "princpt": {"400": [CAMERA.cx, CAMERA.cy]}}
    folder = root / "annotations" / split
    write_json(folder / f"InterHand2.6M_{split}_data.json", {"images": images, "annotations": annotations})
    write_json(folder / f"InterHand2.6M_{split}_camera.json", {"0": view})
    write_json(folder / f"InterHand2.6M_{split}_joint_3d.json", joints)
    return camera_mm


def stb_mat(root: Path, sequence: str, frames: int, code: str = "BB") -> NDArray[np.float64]:
    """One sequence with its pictures; returns (F, 21, 3) in our order, the palm's centre in the last row."""
    joints = np.stack([hand(i) for i in range(frames)])
    joints[:, WRIST] = (joints[:, WRIST] + joints[:, 15]) / 2
    theirs = np.stack([in_their_order(j, LITTLE_FIRST) for j in joints])
    (root / "labels").mkdir(parents=True, exist_ok=True)
    savemat(root / "labels" / f"{sequence}_{code}.mat", {"handPara": theirs.transpose(2, 1, 0)})
    for i in range(frames):
        write_picture(root / "images" / sequence / f"{'BB_left' if code == 'BB' else 'SK_color'}_{i}.png")
    return joints

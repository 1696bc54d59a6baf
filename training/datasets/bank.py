"""The bank of rendered hands: cut-out pictures with exact joints, kept in memory as one tensor.

A bank is a folder of shards. `shard-NNN.tar` holds square RGBA pictures (WebP), `shard-NNN.npz` beside it the joints
and the intrinsics of each. Decoding takes minutes, so the pictures are decoded once, reduced, premultiplied by their
alpha (an edge then blends without a dark fringe) and kept in a memory-mapped file.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError


@dataclass(frozen=True)
class HandBank:
    """N pictures with their labels; joints in InterHand2.6M's order, right 0-20, left 21-41."""

    pictures: NDArray[np.uint8]
    """(N, 4, size, size) premultiplied RGBA."""
    joints_cam_mm: NDArray[np.float32]
    """(N, 42, 3) camera frame; zeros for an absent hand."""
    hand_present: NDArray[np.bool_]
    """(N, 2) right, left."""
    intrinsics_px: NDArray[np.float32]
    """(N, 4) fx, fy, cx, cy of the reduced pictures."""

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size_px(self) -> int:
        """Side of the stored pictures."""
        return int(self.pictures.shape[-1])


def load_bank(root: Path, shards: list[str], size_px: int, cache: Path) -> HandBank:
    """Read the named shards (`"100"` is `shard-100`), decoding them into `cache` unless they are there already.

    Raises UserError if a shard is missing or does not hold what its labels say.
    """
    parts = [_load_shard(root, shard, size_px, cache) for shard in shards]
    if not parts:
        raise UserError("a bank without shards: list them under data.banks in the settings")
    if len(parts) == 1:
        return parts[0]  # its pictures stay in their file
    return HandBank(
        pictures=np.concatenate([part.pictures for part in parts]),
        joints_cam_mm=np.concatenate([part.joints_cam_mm for part in parts]),
        hand_present=np.concatenate([part.hand_present for part in parts]),
        intrinsics_px=np.concatenate([part.intrinsics_px for part in parts]),
    )


def _load_shard(root: Path, shard: str, size_px: int, cache: Path) -> HandBank:
    if not (root / f"shard-{shard}.npz").exists():
        raise UserError(f"{root}/shard-{shard}.npz: no such shard; check data.banks in the settings")
    pictures = np.load(_decode_shard(root, shard, size_px, cache), mmap_mode="r", allow_pickle=False)
    with np.load(root / f"shard-{shard}.npz", allow_pickle=False) as labels:
        joints, valid, intrinsics = labels["joints_cam_mm"], labels["joint_valid"], labels["intrinsics_px"]
    if len(pictures) != len(joints):
        raise UserError(
            f"{root}/shard-{shard}: {len(pictures)} pictures but {len(joints)} labels; fetch the shard again"
        )
    scale = size_px / _stored_size(root, shard)
    scaled = intrinsics.astype(np.float32) * np.float32(scale)
    scaled[:, 2:] -= np.float32(0.5)  # the renderer counts from the picture's edge, we from the first pixel's centre
    return HandBank(pictures, joints.astype(np.float32), valid[:, [20, 41]] > 0, scaled)


def _decode_shard(root: Path, shard: str, size_px: int, cache: Path) -> Path:
    """Decode one shard into the cache; returns the file of its (N, 4, size, size) pictures."""
    target = cache / _cache_name(root, shard, size_px)
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    pictures = [_reduced(_rgba(blob), size_px) for blob in _blobs(root / f"shard-{shard}.tar")]
    partial = target.with_suffix(".partial.npy")
    np.save(partial, np.stack(pictures))
    partial.replace(target)
    return target


def _cache_name(root: Path, shard: str, size_px: int) -> str:
    """Shards of two banks may have the same number, and a bank may be rendered anew: its labels tell."""
    labels = (root / f"shard-{shard}.npz").read_bytes()
    return f"{shard}-{size_px}-{zlib.crc32(labels):08x}.npy"


def _blobs(path: Path) -> list[bytes]:
    if not path.exists():
        raise UserError(f"{path}: no such archive; fetch the shard again")
    with tarfile.open(path) as archive:
        members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        files = [archive.extractfile(member) for member in members]
        return [file.read() for file in files if file is not None]


def _rgba(blob: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3:
        raise UserError("the hand bank holds a damaged picture; fetch the shard again")
    if picture.shape[2] == 3:  # WebP drops an alpha that is opaque everywhere: a body fills the picture
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA)
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)


def _stored_size(root: Path, shard: str) -> int:
    with tarfile.open(root / f"shard-{shard}.tar") as archive:
        first = next(member for member in archive if member.isfile())
        file = archive.extractfile(first)
        return int(_rgba(file.read() if file else b"").shape[0])


def _reduced(rgba: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    alpha = rgba[..., 3:].astype(np.float32) / 255
    premultiplied = np.concatenate([rgba[..., :3] * alpha, rgba[..., 3:]], axis=-1).astype(np.float32)
    small = cv2.resize(premultiplied, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.rint(small).astype(np.uint8).transpose(2, 0, 1))

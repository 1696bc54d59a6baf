"""The bank of rendered hands: cut-out pictures with exact joints, kept in memory as one tensor.

A bank is a folder of shards. `shard-NNN.tar` holds square RGBA pictures (WebP), `shard-NNN.npz` beside it the joints
and the intrinsics of each. Decoding takes minutes, so the pictures are decoded once, reduced, premultiplied by their
alpha (an edge then blends without a dark fringe) and kept in a memory-mapped file. Several processes may decode the
same shard at once; each puts a whole file in place.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import in_one_step
from engines.npz import ARCHIVE_ERRORS

MASK_CELLS: Final = 80
"""As the generator makes them (`training.synth.hand.visibility.MASK_PX`)."""
UNKNOWN: Final = 255
"""In masks."""


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
    masks: NDArray[np.uint8]
    """(N, 80, 80) what each cell of a picture shows: 1 the right hand, 2 the left one; UNKNOWN if nobody told."""

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size_px(self) -> int:
        """Side of the stored pictures."""
        return int(self.pictures.shape[-1])


def load_bank(root: Path, shards: list[str], size_px: int, cache: Path) -> HandBank:
    """Read the named shards (`"100"` is `shard-100`), decoding them into `cache` unless they are there already.

    Raises UserError if a shard is missing, damaged or does not hold what its labels say, or `cache` cannot be written.
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
        masks=np.concatenate([part.masks for part in parts]),
    )


def _load_shard(root: Path, shard: str, size_px: int, cache: Path) -> HandBank:
    joints, present, intrinsics, masks = _labels(root / f"shard-{shard}.npz")
    pictures = _pictures(root, shard, size_px, len(joints), cache)
    scale = size_px / _stored_size(root, shard)
    scaled = intrinsics.astype(np.float32) * np.float32(scale)
    scaled[:, 2:] -= np.float32(0.5)  # the renderer counts from the picture's edge, we from the first pixel's centre
    return HandBank(pictures, joints.astype(np.float32), present, scaled, masks)


def _labels(path: Path) -> tuple[NDArray, NDArray[np.bool_], NDArray, NDArray[np.uint8]]:
    """(N, 42, 3) joints, (N, 2) which hand is there, (N, 4) intrinsics of the stored pictures, (N, 80, 80) masks."""
    if not path.exists():
        raise UserError(f"{path}: no such shard; check data.banks in the settings")
    with shard_labels(path) as labels:
        joints = labels["joints_cam_mm"]
        shape = len(joints), MASK_CELLS, MASK_CELLS
        masks = labels["mask"] if "mask" in labels else np.broadcast_to(np.uint8(UNKNOWN), shape)
        if masks.shape != shape:
            raise UserError(f"{path}: masks of shape {masks.shape} instead of {shape}; render the shard again")
        return joints, labels["joint_valid"][:, [20, 41]] > 0, labels["intrinsics_px"], masks


@contextmanager
def shard_labels(path: Path) -> Iterator[NpzFile]:
    """The arrays of a `shard-NNN.npz`; raises UserError if it, or one that is taken from it, cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as labels:
            yield labels
    except (OSError, *ARCHIVE_ERRORS) as error:
        raise UserError(f"{path}: damaged labels ({error}); fetch the shard again") from error


def _pictures(root: Path, shard: str, size_px: int, count: int, cache: Path) -> NDArray[np.uint8]:
    """(count, 4, size, size) pictures of one shard, in their file in the cache; decoded unless they are there."""

    def decode() -> NDArray[np.uint8]:
        blobs = archive_blobs(root / f"shard-{shard}.tar")
        if len(blobs) != count:  # not kept: the labels name the file, and they may be right
            raise UserError(f"{root}/shard-{shard}: {len(blobs)} pictures but {count} labels; fetch the shard again")
        return np.stack([_reduced(_rgba(blob), size_px) for blob in blobs])

    return decoded_pictures(root / f"shard-{shard}.npz", shard, size_px, count, cache, decode)


def decoded_pictures(
    labels: Path, name: str, size_px: int, count: int, cache: Path, decode: Callable[[], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """What `decode` makes of the pictures that belong to the file `labels`, memory-mapped from `cache`; made once.

    Raises UserError if the cache cannot be written, and what `decode` raises.
    """
    target = cache / _cache_name(labels, name, size_px)
    stored = _stored(target, count)
    if stored is not None:
        return stored
    with _writing(cache):  # before the minutes of decoding
        cache.mkdir(parents=True, exist_ok=True)
    pictures = decode()
    with _writing(cache):
        _save(target, pictures)
        return np.load(target, mmap_mode="r", allow_pickle=False)


def _stored(path: Path, count: int) -> NDArray[np.uint8] | None:
    """The decoded pictures, or None if they are not there, damaged, or of an archive that did not fit its labels."""
    try:
        pictures = np.load(path, mmap_mode="r", allow_pickle=False)
        return pictures if len(pictures) == count else None
    except (OSError, *ARCHIVE_ERRORS):
        return None


def _save(target: Path, pictures: NDArray[np.uint8]) -> None:
    with in_one_step(target) as whole:
        np.save(whole, pictures)


@contextmanager
def _writing(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{cache}: decoded pictures cannot be kept there ({reason}); change data.cache") from error


def _cache_name(labels: Path, name: str, size_px: int) -> str:
    """Shards of two banks may have the same number, and a bank may be rendered anew: its labels tell."""
    return f"{name}-{size_px}-{zlib.crc32(labels.read_bytes()):08x}.npy"


def archive_blobs(path: Path, first: bool = False) -> list[bytes]:
    """The files of an archive by name, or only the first; raises UserError if it cannot be read."""
    with _archive(path) as archive:
        members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        files = [archive.extractfile(member) for member in (members[:1] if first else members)]
        return [file.read() for file in files if file is not None]


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    if not path.exists():
        raise UserError(f"{path}: no such archive; fetch the shard again")
    try:
        with tarfile.open(path) as archive:
            yield archive
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UserError(f"{path}: no archive that can be read ({error}); fetch the shard again") from error


def _rgba(blob: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3:
        raise UserError("the hand bank holds a damaged picture; fetch the shard again")
    if picture.shape[2] == 3:  # WebP drops an alpha that is opaque everywhere: a body fills the picture
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA)
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)


def _stored_size(root: Path, shard: str) -> int:
    return int(_rgba(archive_blobs(root / f"shard-{shard}.tar", first=True)[0]).shape[0])


def _reduced(rgba: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    alpha = rgba[..., 3:].astype(np.float32) / 255
    premultiplied = np.concatenate([rgba[..., :3] * alpha, rgba[..., 3:]], axis=-1).astype(np.float32)
    small = cv2.resize(premultiplied, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.rint(small).astype(np.uint8).transpose(2, 0, 1))

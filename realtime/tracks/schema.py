"""The track file: what it holds, and how it is read again (numpy only; any thread).

`docs/tracks.md` lists every field with its unit, frame and type. Written by `realtime.tracks.writer`: while a run
goes on, its frames lie as records in `<name>.part`; at its end they become the `.npz`. `load_tracks` reads both.
"""

from __future__ import annotations

import json
import logging
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import DTypeLike, NDArray

from engines.errors import UserError
from engines.geometry.crop import Crop
from engines.geometry.distortion import LENS_MODELS, MOST, trimmed
from engines.geometry.pinhole import Intrinsics
from engines.npz import ARCHIVE_ERRORS
from engines.skeleton import HAND_SLICES, SIDES
from realtime.messages import HandFrame, HandPose

FORMAT: Final = "two-hands-tracks 1"
PART_SUFFIX: Final = ".part"
PART_MAGIC: Final = b"two-hands-tracks-part 1\n"
MAX_HEADER_BYTES: Final = 1 << 20
MAX_CROPS: Final = 2
ROOT_DEPTH_NAMES: Final = (
    *("absent", "rootnet", "relative", "blend", "filled"),
    *("closed_form", "fused", "known_size"),
)
"""What the codes of `root_depth_from` mean."""

FRAME_FIELDS: Final[dict[str, tuple[str, tuple[int, ...]]]] = {
    "frame_index": ("<i8", ()),
    "t_s": ("<f8", ()),
    "joints_cam_mm": ("<f4", (42, 3)),
    "joints_px": ("<f4", (42, 2)),
    "joint_confidence": ("<f4", (42,)),
    "hand_probability": ("<f4", (2,)),
    "root_depth_from": ("|u1", (2,)),
    "root_depth_sigma_mm": ("<f4", (2,)),
    "crops_px": ("<f4", (MAX_CROPS, 4)),
    "dropped": ("<i4", ()),
}
"""Type and shape of one frame's row in each per-frame array."""
RUN_FIELDS: Final[dict[str, tuple[str, tuple[int, ...]]]] = {
    "intrinsics_px": ("<f8", (4,)),
    "distortion": ("<f8", (MOST,)),
    "lens_model": ("|u1", ()),
    "size_px": ("<i4", (2,)),
}
_ADDED: Final = {"root_depth_sigma_mm": np.nan, "distortion": 0.0, "lens_model": 0}
"""Fields that older files lack, and what they are then."""
TEXT_FIELDS: Final = ("format", "settings", "versions")

_ROW: Final[list[tuple[str, DTypeLike, tuple[int, ...]]]] = [(k, t, shape) for k, (t, shape) in FRAME_FIELDS.items()]
RECORD: Final = np.dtype([*_ROW, ("crc32", "<u4", ())])
"""One frame in a part file; the checksum covers the bytes before it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Tracks:
    """A whole track file; F frames, hands in the order right, left, joints as in `engines.skeleton`."""

    t_s: NDArray[np.float64]
    """(F,) seconds."""
    frame_index: NDArray[np.int64]
    """(F,) number of the frame at its source."""
    joints_cam_mm: NDArray[np.float32]
    """(F, 42, 3) camera frame, mm; NaN for a hand that is not there."""
    joints_px: NDArray[np.float32]
    """(F, 42, 2) pixels of the frame; NaN likewise."""
    joint_confidence: NDArray[np.float32]
    """(F, 42) 0..1; NaN likewise."""
    hand_probability: NDArray[np.float32]
    """(F, 2) 0..1; 0 for a hand that is not there."""
    root_depth_from: NDArray[np.uint8]
    """(F, 2) index into ROOT_DEPTH_NAMES; 0 for a hand that is not there."""
    root_depth_sigma_mm: NDArray[np.float32]
    """(F, 2) standard deviation of the wrist's depth; NaN for a hand that is not there, or where it is not known."""
    crops_px: NDArray[np.float32]
    """(F, 2, 4) centre x, y, side (px) and angle (rad) of what the network looked at; NaN where there was none."""
    dropped: NDArray[np.int32]
    """(F,) frames that the source dropped before this one."""
    intrinsics_px: NDArray[np.float64]
    """(4,) fx, fy, cx, cy."""
    distortion: NDArray[np.float64]
    """(14,) the lens's coefficients as in `engines.geometry.distortion`, filled up with zeros."""
    size_px: NDArray[np.int32]
    """(2,) width, height."""
    settings: str
    """JSON text."""
    versions: str
    """JSON text."""
    lens_model: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((), np.uint8))
    """() index into LENS_MODELS: whose coefficients `distortion` holds."""

    def __len__(self) -> int:
        """F, the number of frames."""
        return len(self.t_s)

    @property
    def fps(self) -> float:
        """Frames a second, (F - 1) / span; 0 where the time stamps span nothing."""
        span_s = float(self.t_s[-1] - self.t_s[0]) if len(self) > 1 else 0.0
        return (len(self) - 1) / span_s if span_s > 0 else 0.0

    @property
    def intrinsics(self) -> Intrinsics:
        """The camera, the same for all frames."""
        fx, fy, cx, cy = (float(v) for v in self.intrinsics_px)
        model = LENS_MODELS[int(self.lens_model)]
        return Intrinsics(fx, fy, cx, cy, distortion=trimmed(self.distortion.tolist(), model), lens_model=model)

    def hand_frame(self, i: int) -> HandFrame:
        """Frame i (0 .. F-1, or negative from the end) as the pipeline gave it; `stage_ms` is not kept."""
        width, height = (int(v) for v in self.size_px)
        return HandFrame(
            index=int(self.frame_index[i]),
            t_capture_s=float(self.t_s[i]),
            hands=tuple(self._hand(i, h) for h in range(2) if self.root_depth_from[i, h]),
            intrinsics=self.intrinsics,
            size_px=(width, height),
            crops=tuple(_crop(row) for row in self.crops_px[i] if np.isfinite(row).all()),
            dropped=int(self.dropped[i]),
        )

    def _hand(self, i: int, h: int) -> HandPose:
        rows = HAND_SLICES[SIDES[h]]
        return HandPose(
            side=SIDES[h],
            joints_cam_mm=self.joints_cam_mm[i, rows],
            joints_px=self.joints_px[i, rows],
            confidence=self.joint_confidence[i, rows],
            hand_probability=float(self.hand_probability[i, h]),
            root_depth_from=ROOT_DEPTH_NAMES[self.root_depth_from[i, h]],
            root_depth_sigma_mm=float(self.root_depth_sigma_mm[i, h]),
        )


def load_tracks(path: Path | str) -> Tracks:
    """Read a finished track file or the `.part` of a run that was killed.

    Raises UserError, naming the file, if it is not there, no track file, damaged, or of another version. From a
    part file, the frames up to the first incomplete or damaged one are taken.
    """
    path = Path(path)
    part = path.with_name(path.name + PART_SUFFIX)
    if not path.is_file():
        beside = f"; a run that did not end left {part}: give that instead" if part.is_file() else ""
        raise UserError(f"{path}: no such track file{beside}")
    try:
        tracks = _load_part(path) if _starts_with(path, PART_MAGIC) else _load_npz(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if tracks.root_depth_from.size and tracks.root_depth_from.max() >= len(ROOT_DEPTH_NAMES):
        raise UserError(f"{path}: the track file is damaged (root_depth_from holds unknown codes)")
    if tracks.lens_model >= len(LENS_MODELS):
        raise UserError(f"{path}: the track file is damaged (lens_model holds an unknown code)")
    return tracks


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _load_npz(path: Path) -> Tracks:
    try:
        with zipfile.ZipFile(path) as archive:
            if _text(archive, "format") != FORMAT:
                raise UserError(f"{path}: a track file of another version; this program reads '{FORMAT}'")
            fields: dict[str, Any] = {name: _text(archive, name) for name in ("settings", "versions")}
            count = _header(archive, "t_s")[1][0]
            for name, (dtype, shape) in FRAME_FIELDS.items():
                fields[name] = _field(archive, name, dtype, (count, *shape))
            for name, (dtype, shape) in RUN_FIELDS.items():
                fields[name] = _field(archive, name, dtype, shape)
    except ARCHIVE_ERRORS as error:
        raise UserError(f"{path}: not a track file of this program, or damaged ({_line(error)})") from error
    return Tracks(**fields)


def _header(archive: zipfile.ZipFile, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape that the array declares; nothing is allocated for it."""
    with archive.open(f"{name}.npy") as member:
        return _read_header(member, name)


def _read_header(member: IO[bytes], name: str) -> tuple[np.dtype, tuple[int, ...]]:
    if npy_format.read_magic(member) != (1, 0):
        raise ValueError(f"{name} has another array format")
    shape, fortran_order, dtype = npy_format.read_array_header_1_0(member)
    if fortran_order or dtype.hasobject:
        raise ValueError(f"{name} is stored in another way")
    return dtype, shape


def _field(archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray:
    """One array, or what it means that an older file has none; `shape[0]` was checked with another array."""
    if name in _ADDED and f"{name}.npy" not in archive.namelist():
        return np.full(shape, _ADDED[name], dtype)
    return _array(archive, name, dtype, shape)


def _array(archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray:
    """Read one array after its declared type, shape and number of bytes were checked; read-only."""
    info = archive.getinfo(f"{name}.npy")
    wanted = np.dtype(dtype)
    with archive.open(info) as member:
        found = _read_header(member, name)
        if found != (wanted, shape):
            raise ValueError(f"{name} is {found[0]} {found[1]}, expected {wanted} {shape}")
        expected_bytes = wanted.itemsize * int(np.prod(shape, dtype=np.int64))
        # Stored, not compressed: so the bytes to allocate can never be more than the file has.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size - member.tell() != expected_bytes:
            raise ValueError(f"{name} does not have the size it declares")
        return np.frombuffer(member.read(), wanted).reshape(shape)


def _text(archive: zipfile.ZipFile, name: str) -> str:
    dtype, shape = _header(archive, name)
    if dtype.kind != "U" or shape != () or dtype.itemsize > 4 * MAX_HEADER_BYTES:
        raise ValueError(f"{name} is no text")
    return str(_array(archive, name, dtype.str, ())[()])


def _load_part(path: Path) -> Tracks:
    fields, records = read_part(path)
    fields.update((name, np.ascontiguousarray(records[name])) for name in FRAME_FIELDS)
    return Tracks(**fields)


def read_part(path: Path) -> tuple[dict[str, Any], NDArray]:
    """Settings, versions, intrinsics and size of a part file, and its good records (RECORD) as they lie on the disk.

    Records behind a bad one are left out. Raises UserError if it is no part or its head is damaged, OSError if it
    cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(PART_MAGIC)) != PART_MAGIC:
            raise UserError(f"{path}: not the part of an unfinished run")
        header_line = file.readline(MAX_HEADER_BYTES)
        start = file.tell()
    fields = _part_fields(path, header_line)
    whole = (path.stat().st_size - start) // RECORD.itemsize
    if whole <= 0:
        return fields, np.zeros(0, RECORD)
    # Mapped, not read: the records of a day-long run need not fit into memory.
    records = np.memmap(path, RECORD, "r", start, (whole,))
    good = _count_good(records)
    if good < whole:
        _log.warning("%s: %d of %d frames are damaged and left out", path, whole - good, whole)
    return fields, records[:good]


def _part_fields(path: Path, header_line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(header_line)
        if header["record_bytes"] != RECORD.itemsize:
            raise ValueError("records of another version")
        fields: dict[str, Any] = {name: str(header[name]) for name in ("settings", "versions")}
        for name, (dtype, shape) in RUN_FIELDS.items():
            value = header[name] if name in header or name not in _ADDED else np.full(shape, _ADDED[name])
            fields[name] = np.array(value, dtype).reshape(shape)
    except (OverflowError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: the unfinished track file is damaged ({_line(error)})") from error
    return fields


def _count_good(records: NDArray) -> int:
    """Count the records before the first one whose checksum fails."""
    for i, record in enumerate(records):
        if zlib.crc32(record.tobytes()[:-4]) != int(record["crc32"]):
            return i
    return len(records)


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _crop(row: NDArray) -> Crop:
    x, y, side, angle = (float(v) for v in row)
    return Crop((x, y), side, angle)

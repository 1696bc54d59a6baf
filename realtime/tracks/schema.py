"""The track file: what it holds (numpy only; any thread).

`docs/tracks.md` lists every field with its unit, frame and type. `realtime.tracks.writer` writes it: while a run goes
on, its frames lie as records in `<name>.part`; at its end they become the `.npz`. `realtime.tracks.reader` reads both.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engines.geometry.crop import Crop
from engines.geometry.distortion import LENS_MODELS, MOST, trimmed
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, JOINTS_PER_HAND, SIDES
from realtime.messages import HandFrame, HandPose
from realtime.rotations.hand_rotations import hand_rotations, steady_signs
from realtime.rotations.joint_angles import joint_angles_deg
from realtime.rotations.openxr import OpenXRHands, openxr_hands

FORMAT: Final = "two-hands-tracks 2"
FORMATS_READ: Final = (FORMAT, "two-hands-tracks 1")
"""Those of before lack `ADDED_FIELDS`, or some."""
NATIVE_SUFFIX: Final = ".npz"
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
    "joint_rotations": ("<f4", (42, 4)),
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
ADDED_FIELDS: Final = {"root_depth_sigma_mm": np.nan, "distortion": 0.0, "lens_model": 0, "joint_rotations": np.nan}
"""Fields that older files lack, and what they are then; rotations are worked out from the joints."""

_ROW: Final[list[tuple[str, DTypeLike, tuple[int, ...]]]] = [(k, t, shape) for k, (t, shape) in FRAME_FIELDS.items()]
RECORD: Final = np.dtype([*_ROW, ("crc32", "<u4", ())])
"""One frame in a part file; the checksum covers the bytes before it."""
OLDER_RECORDS: Final = (np.dtype([*(row for row in _ROW if row[0] != "joint_rotations"), ("crc32", "<u4", ())]),)
"""Those of parts that earlier versions left."""


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
    joint_rotations: NDArray[np.float32]
    """(F, 42, 4) unit quaternions x, y, z, w, camera_from_joint (`realtime.rotations.hand_rotations`); NaN likewise."""
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

    @property
    def mirrored(self) -> bool:
        """Whether the recording is a mirror's, and was turned back before it was tracked (`camera.mirrored`)."""
        settings = json.loads(self.settings)
        camera = settings.get("camera") if isinstance(settings, dict) else None
        return isinstance(camera, dict) and camera.get("mirrored") is True

    def joint_angles_deg(self) -> NDArray[np.float64]:
        """(F, 42, 2) flexion and abduction of every joint; NaN for wrists, tips and hands that are not there."""
        hands = [joint_angles_deg(self.joint_rotations[:, HAND_SLICES[side]], side) for side in SIDES]
        return np.concatenate(hands, axis=1)

    def openxr(self) -> OpenXRHands:
        """OpenXR's 26 joints of every frame: arrays (F, 2, 26, ...), right before left."""
        shape = (len(self), len(SIDES), JOINTS_PER_HAND)
        joints, rotations = self.joints_cam_mm.reshape(*shape, 3), self.joint_rotations.reshape(*shape, 4)
        found = openxr_hands(joints, rotations, self.joint_confidence.reshape(shape))
        seen = self.root_depth_from != ROOT_DEPTH_NAMES.index("filled")
        return replace(found, tracked=found.tracked & seen[..., None])

    def _hand(self, i: int, h: int) -> HandPose:
        rows = HAND_SLICES[SIDES[h]]
        return HandPose(
            side=SIDES[h],
            joints_cam_mm=self.joints_cam_mm[i, rows],
            joints_px=self.joints_px[i, rows],
            joint_rotations=self.joint_rotations[i, rows],
            confidence=self.joint_confidence[i, rows],
            hand_probability=float(self.hand_probability[i, h]),
            root_depth_from=ROOT_DEPTH_NAMES[self.root_depth_from[i, h]],
            root_depth_sigma_mm=float(self.root_depth_sigma_mm[i, h]),
        )


def rotations_of(joints_cam_mm: NDArray) -> NDArray[np.float32]:
    """(F, 42, 3) mm, frames in order of time -> (F, 42, 4) `joint_rotations`."""
    hands = []
    for side in SIDES:
        hands.append(steady_signs(hand_rotations(joints_cam_mm[:, HAND_SLICES[side]], side)))
    return np.concatenate(hands, axis=1).astype(np.float32)


def _crop(row: NDArray) -> Crop:
    x, y, side, angle = (float(v) for v in row)
    return Crop((x, y), side, angle)


def _rotations(hand: HandPose) -> NDArray:
    """Of a hand that did not come out of a pipeline they may be missing."""
    missing = np.isnan(hand.joint_rotations).any()
    return hand_rotations(hand.joints_cam_mm, hand.side) if missing else hand.joint_rotations


def encode(hand_frame: HandFrame) -> bytes:
    """One frame as a record of the part file."""
    if len(hand_frame.crops) > MAX_CROPS:
        raise ValueError(f"a track file keeps {MAX_CROPS} crops a frame, not {len(hand_frame.crops)}")
    record = np.zeros((), RECORD)
    for name in (
        "joints_cam_mm",
        "joints_px",
        "joint_rotations",
        "joint_confidence",
        "root_depth_sigma_mm",
        "crops_px",
    ):
        record[name] = np.nan
    record["frame_index"] = hand_frame.index
    record["t_s"] = hand_frame.t_capture_s
    record["dropped"] = hand_frame.dropped
    for hand in hand_frame.hands:
        h, rows = SIDES.index(hand.side), HAND_SLICES[hand.side]
        record["joints_cam_mm"][rows] = hand.joints_cam_mm
        record["joints_px"][rows] = hand.joints_px
        record["joint_rotations"][rows] = _rotations(hand)
        record["joint_confidence"][rows] = hand.confidence
        record["hand_probability"][h] = hand.hand_probability
        record["root_depth_from"][h] = ROOT_DEPTH_NAMES.index(hand.root_depth_from)
        record["root_depth_sigma_mm"][h] = hand.root_depth_sigma_mm
    for i, crop in enumerate(hand_frame.crops):
        record["crops_px"][i] = (*crop.center_px, crop.side_px, crop.angle_rad)
    record["crc32"] = zlib.crc32(record.tobytes()[:-4])
    return record.tobytes()

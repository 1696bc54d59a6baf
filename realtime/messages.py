"""The frozen dataclasses that flow between the stages; arrays in them are never written to again.

Frame -> pipeline -> HandFrame -> viewer, overlay, track file. Times are seconds on a monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import JOINTS_PER_HAND, Side

SPEED_OVER_S: Final = 1 / 80
"""Speeds are measured over at least this: network cameras deliver pairs of frames with stamps a millisecond apart, and
a step divided by so short a time is noise."""


@dataclass(frozen=True)
class Frame:
    """One picture of a camera or a recording."""

    index: int
    """Number of the frame at its source, from 0; a gap means frames that were dropped or damaged."""
    t_capture_s: float
    """Cameras: monotonic clock at capture. Recordings: the time stamp in the file, from 0."""
    image_bgr: NDArray[np.uint8]
    """(H, W, 3), never mirrored."""


@dataclass(frozen=True)
class HandBox:
    """A hand as the detector sees it: which hand it may be, and where."""

    side: Side
    crop: Crop
    """Upright square around the hand, in the definition of `engines.geometry.crop`."""
    score: float
    palm_px: float = 0.0
    """Length of the palm in the picture, which tells how near the hand is whatever its fingers do; 0: not known."""


@dataclass(frozen=True)
class Proposed:
    """Where a detector that is often wrong sees a hand, or two that touch: the network decides."""

    crop: Crop
    """Square around it or both, upright, in the definition of `engines.geometry.crop`."""
    sides: tuple[Side, ...]
    score: float
    seen: bool = False
    """The network has seen them there in the picture before."""


def _unknown_rotations() -> NDArray[np.float32]:
    return np.full((JOINTS_PER_HAND, 4), np.nan, np.float32)


@dataclass(frozen=True)
class HandPose:
    """One hand in camera space."""

    side: Side
    joints_cam_mm: NDArray[np.float32]
    """(21, 3) camera frame as in OpenCV, millimetres."""
    joints_px: NDArray[np.float32]
    """(21, 2) in pixels of the frame."""
    confidence: NDArray[np.float32]
    """(21,) probability that the joint is where it should be, 0..1."""
    hand_probability: float
    root_depth_from: str
    """Where the wrist's absolute depth came from: "rootnet", "known_size" (RootNet's, scaled to a known hand),
    "closed_form", "fused" (the last two of `realtime.camera_space.wrist_depth`), "relative" (right wrist + z(R->L)), or
    "blend"."""
    root_depth_sigma_mm: float = math.nan
    """Standard deviation of that depth in one picture, what is unknown of the hand's size included; NaN: not known."""
    joint_rotations: NDArray[np.float32] = field(default_factory=_unknown_rotations)
    """(21, 4) unit quaternions x, y, z, w, camera_from_joint; axes as `realtime.rotations.hand_rotations` states them.
    NaN: not worked out yet."""


@dataclass(frozen=True)
class HandFrame:
    """All that is known of one frame: no, one or two hands (at most one of each side)."""

    index: int
    t_capture_s: float
    hands: tuple[HandPose, ...]
    intrinsics: Intrinsics
    size_px: tuple[int, int]
    """(width, height) of the frame."""
    crops: tuple[Crop, ...] = ()
    """What the network looked at in this frame."""
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds spent in each stage."""
    dropped: int = 0
    """Frames the source dropped since the previous result."""

    def hand(self, side: Side) -> HandPose | None:
        """The hand of that side, if it is there."""
        return next((hand for hand in self.hands if hand.side == side), None)

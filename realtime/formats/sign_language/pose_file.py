"""pose-format's `.pose`: both hands as MediaPipe Holistic's components, and in camera space (any thread).

`LEFT_HAND_LANDMARKS` and `RIGHT_HAND_LANDMARKS` are in pixels, z too: how much farther than the wrist, in pixels at the
wrist's depth. `LEFT_HAND_WORLD_LANDMARKS` and `RIGHT_..` are camera millimetres (x right, y down, z forward). The
confidence of a hand that is not there is 0, and its points are masked. The only home of pose_format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pose_format.numpy.pose_body import NumPyPoseBody
from pose_format.pose import Pose
from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

from engines.skeleton import BONES, FINGERS, HAND_SLICES, SIDE_RGB, SIDES, WRIST, WRIST_FIRST, WRIST_FIRST_ROWS, Side
from realtime.formats.steady import at_steady_rate
from realtime.tracks.schema import Tracks

VERSION: Final = 0.2
_JOINTS: Final = {"thumb": ("CMC", "MCP", "IP", "TIP")}
_FINGER_JOINTS: Final = ("MCP", "PIP", "DIP", "TIP")
_NAMES: Final = {"thumb": "THUMB", "little": "PINKY"}
POINTS: Final = (
    "WRIST",
    *(
        f"{_NAMES.get(finger, finger.upper() + '_FINGER')}_{joint}"
        for finger in FINGERS
        for joint in _JOINTS.get(finger, _FINGER_JOINTS)
    ),
)
"""MediaPipe's names of the 21 landmarks."""
_LIMBS: Final = [(WRIST_FIRST.index(parent), WRIST_FIRST.index(child)) for child, parent in BONES]
_HANDS: Final[tuple[Side, ...]] = ("left", "right")


def write(tracks: Tracks, path: Path) -> None:
    """Write the hands of one person at a steady rate. Raises OSError."""
    step_s, tracks = at_steady_rate(tracks)
    width, height = tracks.size_px.tolist()
    parts = [(f"{side.upper()}_HAND_{space}LANDMARKS", side, space) for space in ("", "WORLD_") for side in _HANDS]
    header = PoseHeader(
        version=VERSION,
        dimensions=PoseHeaderDimensions(width=width, height=height, depth=width),
        components=[_component(name, side) for name, side, _ in parts],
    )
    data = np.concatenate([_places(tracks, side, space) for _, side, space in parts], axis=1)[:, None]
    rows = [WRIST_FIRST_ROWS[SIDES.index(side)] for _, side, _ in parts]
    confidence = np.nan_to_num(tracks.joint_confidence[:, np.concatenate(rows)])[:, None]
    missing = np.isnan(data)
    confidence = np.where(missing.any(axis=-1), 0.0, np.maximum(confidence, np.finfo(np.float16).tiny))
    masked: Any = np.ma.masked_array(np.nan_to_num(data).astype(np.float32), mask=missing)
    pose = Pose(header, NumPyPoseBody(1 / step_s, masked, confidence.astype(np.float32)))
    with path.open("wb") as file:
        pose.write(file)


def _component(name: str, side: Side) -> PoseHeaderComponent:
    colour = tuple(round(255 * value) for value in SIDE_RGB[side])
    return PoseHeaderComponent(name, list(POINTS), _LIMBS, [colour] * len(POINTS), "XYZC")


def _places(tracks: Tracks, side: Side, space: str) -> NDArray[np.float64]:
    """(F, 21, 3) in MediaPipe's order."""
    hand = HAND_SLICES[side]
    joints_mm = tracks.joints_cam_mm[:, hand].astype(np.float64)
    if space:
        return joints_mm[:, list(WRIST_FIRST)]
    wrist_mm = joints_mm[:, [WRIST], 2]
    farther_px = (joints_mm[..., 2] - wrist_mm) * tracks.intrinsics.fx / wrist_mm
    places = np.concatenate([tracks.joints_px[:, hand], farther_px[..., None]], axis=-1)
    return places[:, list(WRIST_FIRST)]

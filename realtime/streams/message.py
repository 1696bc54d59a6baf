"""What a stream sends: a result with its time on the wall clock, and the same as JSON (pure functions; any thread).

docs/streams.md tells every field, docs/streams.schema.json checks them.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONES, JOINT_NAMES
from realtime.live import Result
from realtime.messages import HandFrame, HandPose
from realtime.rotations.openxr import OPENXR_JOINTS, openxr_hands

FORMAT: Final = "two-hands-stream 1"
DECIMALS: Final = 3
"""Of every number from a network: a micrometre, a thousandth of a pixel."""

ROTATION_DECIMALS: Final = 5
"""Of quaternions: a thousandth of a degree."""
METRE_DECIMALS: Final = 6


@dataclass(frozen=True)
class StreamFrame:
    """One result on its way out."""

    hands: HandFrame
    t_unix_s: float
    """When the picture was captured (recordings: asked for), in seconds since 1970, UTC."""


def stream_frame(result: Result) -> StreamFrame:
    """Put a result on the wall clock, as it stands now: other programs do not share the monotonic one."""
    age_s = time.monotonic() - result.t_done_s + result.latency_ms / 1e3
    return StreamFrame(result.hands, time.time() - age_s)


def head_json(openxr: bool = False) -> str:
    """Return the first message that a client gets: what the others mean."""
    head: dict[str, Any] = {
        "type": "head",
        "format": FORMAT,
        "unit": "mm",
        "axes": ["right", "down", "forward"],
        "joints": JOINT_NAMES,
        "bones": BONES,
    }
    if openxr:
        head["openxr_joints"] = OPENXR_JOINTS
    return _text(head)


def frame_json(frame: StreamFrame, openxr: bool = False) -> str:
    """Return one result as a message, with OpenXR's joints beside ours if they are wanted."""
    hands = frame.hands
    lens = hands.intrinsics
    message = {
        "type": "frame",
        "frame_index": hands.index,
        "t_s": hands.t_capture_s,
        "t_unix_s": round(frame.t_unix_s, 6),
        "dropped": hands.dropped,
        "size_px": hands.size_px,
        "intrinsics_px": {"fx": lens.fx, "fy": lens.fy, "cx": lens.cx, "cy": lens.cy},
        "distortion": lens.distortion,
        "lens_model": lens.lens_model,
        "hands": [_hand(hand) | (_openxr(hand) if openxr else {}) for hand in hands.hands],
    }
    return _text(message)


def _hand(hand: HandPose) -> dict[str, Any]:
    sigma_mm = float(hand.root_depth_sigma_mm)
    return {
        "side": hand.side,
        "hand_probability": round(float(hand.hand_probability), DECIMALS),
        "root_depth_from": hand.root_depth_from,
        "root_depth_sigma_mm": None if math.isnan(sigma_mm) else round(sigma_mm, DECIMALS),
        "joints_cam_mm": _numbers(hand.joints_cam_mm),
        "joints_px": _numbers(hand.joints_px),
        "joint_rotations": _rotations(hand),
        "joint_confidence": _numbers(hand.confidence),
    }


def _openxr(hand: HandPose) -> dict[str, Any]:
    if np.isnan(hand.joint_rotations).any():
        return {"openxr": None}
    found = openxr_hands(hand.joints_cam_mm, hand.joint_rotations, hand.confidence)
    joints = {
        "position_m": np.round(found.position_m, METRE_DECIMALS).tolist(),
        "orientation": np.round(found.orientation, ROTATION_DECIMALS).tolist(),
        "radius_m": np.round(found.radius_m, METRE_DECIMALS).tolist(),
        "location_flags": found.location_flags.tolist(),
    }
    return {"openxr": joints}


def _rotations(hand: HandPose) -> Any:
    if np.isnan(hand.joint_rotations).any():
        return None
    return np.round(hand.joint_rotations.astype(np.float64), ROTATION_DECIMALS).tolist()


def _numbers(values: NDArray[np.float32]) -> Any:
    # In double precision, or the decimals of single precision would come back as 16 digits.
    return np.round(values.astype(np.float64), DECIMALS).tolist()


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), allow_nan=False)

"""One frame of hands as ROS 2 messages, by topic (any thread).

Metres, in the camera's optical frame as ROS has it (x right, y down, z forward: REP 103), which is this program's. The
21 joints of `/hands/SIDE/joints` come wrist first, then each finger from base to tip; orientations have OpenXR's axes.
`/hands/SIDE/openxr` has OpenXR's 26 joints in its own view space at the camera (y up, z backwards), a frame in `/tf`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES, WRIST, WRIST_FIRST
from realtime.messages import HandFrame, HandPose
from realtime.rotations.openxr import UP_TURN, OpenXRHands, openxr_hands
from realtime.rotations.quaternions import IDENTITY

CAMERA: Final = "camera_optical_frame"
VIEW: Final = "openxr_view"
M_PER_MM: Final = 1e-3
_NS_PER_S: Final = 1_000_000_000
_MODELS: Final = ((5, "plumb_bob"), (8, "rational_polynomial"), (12, "thin_prism"), (14, "tilted"))
"""Numbers of coefficients, and what OpenCV's lens is called then; ROS knows the first two."""

Message = Mapping[str, Any]


def time_ns(t_s: float) -> int:
    """Whole nanoseconds."""
    return round(t_s * _NS_PER_S)


def messages(frame: HandFrame) -> Iterator[tuple[str, str, Message]]:
    """Topic, type and content of each; a hand that is not there has an empty list of poses, and no frame in `/tf`."""
    header = _header(frame.t_capture_s, CAMERA)
    view = _header(frame.t_capture_s, VIEW)
    found = {hand.side: openxr_hands(hand.joints_cam_mm, hand.joint_rotations, hand.confidence) for hand in frame.hands}
    for side in SIDES:
        hand = frame.hand(side)
        poses = [] if hand is None else _poses(hand)
        yield f"/hands/{side}/joints", "geometry_msgs/PoseArray", {"header": header, "poses": poses}
        in_view = _posed(found[side].position_m, found[side].orientation) if side in found else []
        yield f"/hands/{side}/openxr", "geometry_msgs/PoseArray", {"header": view, "poses": in_view}
        if hand is not None:
            pose = {"pose": poses[0], "covariance": _covariance(hand)}
            yield f"/hands/{side}/wrist", "geometry_msgs/PoseWithCovarianceStamped", {"header": header, "pose": pose}
    yield "/tf", "tf2_msgs/TFMessage", {"transforms": [_view(header), *(_wrist(header, hand) for hand in frame.hands)]}
    status = [_status(hand, found[hand.side]) for hand in frame.hands]
    yield "/hands/status", "diagnostic_msgs/DiagnosticArray", {"header": header, "status": status}
    yield "/camera_info", "sensor_msgs/CameraInfo", _camera(header, frame)


def _header(t_s: float, frame_id: str) -> Message:
    seconds, rest_ns = divmod(time_ns(t_s), _NS_PER_S)
    return {"stamp": {"sec": seconds, "nanosec": rest_ns}, "frame_id": frame_id}


def _poses(hand: HandPose) -> list[Message]:
    places_m = hand.joints_cam_mm[list(WRIST_FIRST)].astype(float) * M_PER_MM
    return _posed(places_m, hand.joint_rotations[list(WRIST_FIRST)].astype(float))


def _posed(places_m: NDArray, turns: NDArray) -> list[Message]:
    return [{"position": _xyz(place), "orientation": _turn(turn)} for place, turn in zip(places_m, turns, strict=True)]


def _xyz(values: NDArray) -> Message:
    return dict(zip("xyz", values.tolist(), strict=True))


def _turn(quaternion: NDArray) -> Message:
    """No turn where it is not known, as of a hand made without rotations."""
    known = quaternion if np.isfinite(quaternion).all() else np.array(IDENTITY)
    return dict(zip("xyzw", known.tolist(), strict=True))


def _covariance(hand: HandPose) -> list[float]:
    """(6 x 6) of the wrist's place in m^2: what is unknown is its distance along the line of sight. 0: not known."""
    found = np.zeros((6, 6))
    wrist_mm = hand.joints_cam_mm[WRIST].astype(float)
    if math.isfinite(hand.root_depth_sigma_mm) and wrist_mm[2] > 0:
        along_m = wrist_mm / wrist_mm[2] * hand.root_depth_sigma_mm * M_PER_MM
        found[:3, :3] = np.outer(along_m, along_m)
    return list(found.ravel().tolist())


def _wrist(header: Message, hand: HandPose) -> Message:
    place_m, turn = hand.joints_cam_mm[WRIST].astype(float) * M_PER_MM, hand.joint_rotations[WRIST].astype(float)
    return _transform(header, f"{hand.side}_wrist", place_m, turn)


def _view(header: Message) -> Message:
    return _transform(header, VIEW, np.zeros(3), UP_TURN)


def _transform(header: Message, child: str, place_m: NDArray, turn: NDArray) -> Message:
    transform = {"translation": _xyz(place_m), "rotation": _turn(turn)}
    return {"header": header, "child_frame_id": child, "transform": transform}


def _status(hand: HandPose, openxr: OpenXRHands) -> Message:
    values = {
        "hand_probability": f"{hand.hand_probability:.4f}",
        "root_depth_from": hand.root_depth_from,
        "root_depth_sigma_mm": f"{hand.root_depth_sigma_mm:.2f}",
        "joint_confidence": " ".join(f"{value:.4f}" for value in hand.confidence[list(WRIST_FIRST)].tolist()),
        "openxr_location_flags": " ".join(map(str, openxr.location_flags.tolist())),
        "openxr_radius_m": " ".join(f"{value:.5f}" for value in openxr.radius_m.tolist()),
    }
    listed = [{"key": key, "value": value} for key, value in values.items()]
    return {"level": 0, "name": f"{hand.side}_hand", "message": "", "hardware_id": "camera", "values": listed}


def _camera(header: Message, frame: HandFrame) -> Message:
    lens, (width, height) = frame.intrinsics, frame.size_px
    model, d = _distortion(lens.distortion, lens.lens_model)
    return {
        "header": header,
        "height": height,
        "width": width,
        "distortion_model": model,
        "d": d,
        "k": [lens.fx, 0.0, lens.cx, 0.0, lens.fy, lens.cy, 0.0, 0.0, 1.0],
        "r": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "p": [lens.fx, 0.0, lens.cx, 0.0, 0.0, lens.fy, lens.cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        "binning_x": 0,
        "binning_y": 0,
        "roi": {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False},
    }


def _distortion(coefficients: Sequence[float], lens_model: str) -> tuple[str, list[float]]:
    if lens_model == "fisheye":
        return "equidistant", [*coefficients, *[0.0] * (4 - len(coefficients))]
    count, name = next(row for row in _MODELS if row[0] >= len(coefficients))
    return name, [*coefficients, *[0.0] * (count - len(coefficients))]

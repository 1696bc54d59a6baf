"""The tracker in your own Python program. Everything named here is stable; docs/api.md tells it with examples.

from realtime.api import Hands

with Hands(fov_deg=70) as hands:
    result = hands(frame_bgr, t_s)
"""

from __future__ import annotations

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import BONES, JOINT_NAMES, SIDES
from realtime.config import Settings
from realtime.layers import load_settings
from realtime.live import Result
from realtime.messages import Frame, HandFrame, HandPose
from realtime.own_loop.hands import Hands
from realtime.own_loop.live_hands import LiveHands
from realtime.own_loop.saving import save_tracks
from realtime.own_loop.wishes import Wishes
from realtime.rotations.joint_angles import joint_angles_deg
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import Tracks

__all__ = [
    "BONES",
    "JOINT_NAMES",
    "SIDES",
    "Frame",
    "HandFrame",
    "HandPose",
    "Hands",
    "Intrinsics",
    "LiveHands",
    "Result",
    "Settings",
    "Tracks",
    "UserError",
    "Wishes",
    "joint_angles_deg",
    "load_settings",
    "load_tracks",
    "save_tracks",
]

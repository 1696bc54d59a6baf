"""Plausible hands from numbers, for the tests of what a person sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import crop_around, upright_angle_rad
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import SIDES, Side
from realtime.messages import HandFrame, HandPose
from realtime.rotations.hand_turner import HandTurner

SIZE = (640, 480)
INTRINSICS = Intrinsics(554.0, 554.0, 319.5, 239.5)
# Wrist to base, then base to tip: millimetres, thumb to little finger.
LENGTHS = ((38, 37, 31, 28), (86, 41, 25, 22), (84, 43, 29, 22), (80, 39, 27, 22), (77, 30, 20, 19))
FAN_DEG = (52.0, 15.0, 2.0, -11.0, -24.0)


def joints_mm(side: Side, wrist_mm: tuple[float, float, float], curl_deg: float = 20.0) -> NDArray[np.float32]:
    """(21, 3) of a hand that points up with its palm to the camera; each joint bends towards it by `curl_deg`."""
    thumb_side = 1.0 if side == "right" else -1.0
    fan, bend = np.radians(FAN_DEG), np.radians(np.arange(4) * curl_deg)
    flat = np.stack([thumb_side * np.sin(fan), -np.cos(fan), np.zeros(5)], axis=-1)
    forward = np.array([0.0, 0.0, -1.0])
    steps = np.cos(bend)[:, None] * flat[:, None] + np.sin(bend)[:, None] * forward
    steps *= np.array(LENGTHS, float)[..., None]
    steps[:, 0] += wrist_mm
    tips_first = np.cumsum(steps, axis=1)[:, ::-1]
    return np.concatenate([tips_first.reshape(20, 3), [wrist_mm]]).astype(np.float32)


def pose(
    side: Side, wrist_mm: tuple[float, float, float], confidence: float = 0.95, *, turned: bool = True
) -> HandPose:
    """A hand whose wrist is there; `turned`: with the rotations of its joints, else they are 0."""
    joints = joints_mm(side, wrist_mm)
    joints_px = project(joints, INTRINSICS).astype(np.float32)
    hand = HandPose(side, joints, joints_px, np.full(21, confidence, np.float32), 0.97, "rootnet")
    return HandTurner()((hand,), 0.0)[0] if turned else replace(hand, joint_rotations=np.zeros((21, 4), np.float32))


def hand_frame(
    *sides: Side,
    index: int = 0,
    t_s: float = 0.0,
    confidence: float = 0.95,
    shift: float = 0.0,
    turned: bool = True,
) -> HandFrame:
    """A frame with these hands, moved to the right by `shift` mm, and their crops."""
    places = {"right": (-110.0 + shift, 70.0, 520.0), "left": (120.0 + shift, 60.0, 470.0)}
    hands = tuple(pose(side, places[side], confidence, turned=turned) for side in SIDES if side in sides)
    crops = tuple(crop_around(hand.joints_px, upright_angle_rad([hand.joints_px])) for hand in hands)
    return HandFrame(index, t_s, hands, INTRINSICS, SIZE, crops, {"network": 9.0, "detector": 0.5}, 0)

"""Plausible tracks from numbers, for the tests of what is made from them."""

from __future__ import annotations

import numpy as np

from engines.geometry.pinhole import project
from engines.skeleton import SIDES
from realtime.tracks.schema import FRAME_FIELDS, RECORD, RUN_FIELDS, Tracks, encode, rotations_of
from tests.support.hand_frames import INTRINSICS, SIZE, hand_frame, joints_mm


def tracks_of(present: list[str], step_s: float = 1 / 30, sway_mm: float = 40.0) -> Tracks:
    """A frame for each text: "rl", "r", "l" or "" say which hands are there; they sway, and curl their fingers."""
    frames = []
    for i, sides in enumerate(present):
        shift = sway_mm * float(np.sin(0.2 * i))
        there = (side for side in SIDES if side[0] in sides)
        frames.append(hand_frame(*there, index=i, t_s=i * step_s, shift=shift, turned=False))
    records = np.frombuffer(b"".join(map(encode, frames)), RECORD)
    fields = {name: records[name].copy() for name in FRAME_FIELDS}
    for h, place in enumerate(((-110.0, 70.0, 520.0), (120.0, 60.0, 470.0))):
        for i in np.flatnonzero(fields["root_depth_from"][:, h]):
            wrist = (place[0] + sway_mm * float(np.sin(0.2 * i)), place[1], place[2])
            joints = joints_mm(SIDES[h], wrist, curl_deg=15 + 10 * float(np.sin(0.1 * i)))
            fields["joints_cam_mm"][i, 21 * h : 21 * h + 21] = joints
            fields["joints_px"][i, 21 * h : 21 * h + 21] = project(joints, INTRINSICS)
    fields["joint_rotations"] = rotations_of(fields["joints_cam_mm"])
    return Tracks(
        **fields,
        intrinsics_px=INTRINSICS.as_array(),
        distortion=np.zeros(RUN_FIELDS["distortion"][1]),
        size_px=np.array(SIZE, np.int32),
        settings='{"camera": {"fps": 60}}',
        versions='{"program": "0.1"}',
    )

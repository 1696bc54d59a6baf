"""The hands as 42 markers in OpenSim's axes: what TRC and C3D hold (any thread).

OpenSim: x forward, y up, z to the right, of a person who faces a level camera. So x is out of the picture towards the
camera, and z to the picture's left. The camera is the origin. Names are those of Pose2Sim's HAND_21: R or L, finger,
1 (base) to 4 (tip).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import JOINT_NAMES, SIDES, WRIST_FIRST, WRIST_FIRST_ROWS
from realtime.tracks.schema import Tracks

OPENSIM_FROM_CAMERA: Final = np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
SIDE_LETTERS: Final = {"right": "R", "left": "L"}
MARKERS: Final = tuple(
    SIDE_LETTERS[side] + JOINT_NAMES[joint].capitalize().replace("Little", "Pinky")
    for side in SIDES
    for joint in WRIST_FIRST
)
"""Names of the 42 markers: RWrist, RThumb1 .. RPinky4, LWrist .. LPinky4."""


def markers_mm(tracks: Tracks) -> NDArray[np.float64]:
    """(F, 42, 3) mm, in the order of `MARKERS`; NaN for a hand that is not there."""
    return tracks.joints_cam_mm[:, WRIST_FIRST_ROWS.ravel()].astype(np.float64) @ OPENSIM_FROM_CAMERA.T

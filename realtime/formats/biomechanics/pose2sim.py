"""The key points of one camera for Pose2Sim: OpenPose's folder with the hands where Pose2Sim looks (any thread).

It reads `pose_keypoints_2d` alone, never OpenPose's `hand_*_keypoints_2d`, and takes from there the points that a
skeleton names: here the 42 markers of `docs/pose2sim_hands.toml`, in the order of `markers.MARKERS`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES
from realtime.formats.biomechanics.openpose import key_points, write_people
from realtime.tracks.schema import Tracks


def write(tracks: Tracks, path: Path) -> None:
    """Write the files, with the frames' numbers in their names, into the folder `path`. Raises OSError."""
    write_people(tracks, path, _both_hands)


def _both_hands(tracks: Tracks, i: int) -> NDArray[np.float64]:
    return np.concatenate([key_points(tracks, i, side) for side in SIDES])

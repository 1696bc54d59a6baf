"""OpenPose's JSON: a folder with a file for each frame, as its readers expect (any thread).

One person; `hand_right_keypoints_2d` and `hand_left_keypoints_2d` hold 21 times x, y (px) and confidence, from the
wrist, then each finger from base to tip; all zeros where the hand is not there, OpenPose's way to say so. Of the body
(25 points of BODY_25) only both wrists are known, of the face (70 points) nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES, WRIST_FIRST_ROWS, Side
from realtime.tracks.schema import Tracks

VERSION: Final = 1.3
_BODY_WRISTS: Final = {"right": 4, "left": 7}
_NOBODY: Final = {"pose_keypoints_3d": [], "face_keypoints_3d": [], "face_keypoints_2d": [0.0] * 3 * 70}


def write(tracks: Tracks, path: Path) -> None:
    """Write the files, with the frames' numbers in their names, into the folder `path`. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    for i, number in enumerate(tracks.frame_index):
        content = {"version": VERSION, "people": [_person(tracks, i)] if tracks.root_depth_from[i].any() else []}
        text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        (path / f"hands_{number:012d}_keypoints.json").write_text(text, encoding="ascii")


def _person(tracks: Tracks, i: int) -> dict[str, Any]:
    body = np.zeros((25, 3))
    person: dict[str, Any] = {"person_id": [-1], **_NOBODY}
    for side in SIDES:
        points = _key_points(tracks, i, side)
        body[_BODY_WRISTS[side]] = points[0]
        person[f"hand_{side}_keypoints_2d"] = _numbers(points)
        person[f"hand_{side}_keypoints_3d"] = []
    return {**person, "pose_keypoints_2d": _numbers(body)}


def _key_points(tracks: Tracks, i: int, side: Side) -> NDArray[np.float64]:
    """(21, 3) x, y, confidence, the wrist first."""
    rows = WRIST_FIRST_ROWS[SIDES.index(side)]
    return np.nan_to_num(np.column_stack([tracks.joints_px[i, rows], tracks.joint_confidence[i, rows]]))


def _numbers(points: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.4f}") for value in points.ravel().tolist()]

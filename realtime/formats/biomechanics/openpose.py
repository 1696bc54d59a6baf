"""OpenPose's JSON: a folder with a file for each frame, as its readers expect (any thread).

One person; `hand_right_keypoints_2d` and `hand_left_keypoints_2d` hold 21 times x, y (px) and confidence, from the
wrist, then each finger from base to tip; all zeros where the hand is not there, OpenPose's way to say so. Of the body
(25 points of BODY_25) only both wrists are known, of the face (70 points) nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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
    write_people(tracks, path, _body)


def write_people(tracks: Tracks, path: Path, body: Callable[[Tracks, int], NDArray[np.float64]]) -> None:
    """The same with another `pose_keypoints_2d`: (n, 3) x, y, confidence of the tracks' frame i."""
    path.mkdir(parents=True, exist_ok=True)
    for i, number in enumerate(tracks.frame_index):
        content = {"version": VERSION, "people": [_person(tracks, i, body)] if tracks.root_depth_from[i].any() else []}
        text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        (path / f"hands_{number:012d}_keypoints.json").write_text(text, encoding="ascii")


def _person(tracks: Tracks, i: int, body: Callable[[Tracks, int], NDArray[np.float64]]) -> dict[str, Any]:
    person: dict[str, Any] = {"person_id": [-1], **_NOBODY}
    for side in SIDES:
        person[f"hand_{side}_keypoints_2d"] = _numbers(key_points(tracks, i, side))
        person[f"hand_{side}_keypoints_3d"] = []
    return {**person, "pose_keypoints_2d": _numbers(body(tracks, i))}


def _body(tracks: Tracks, i: int) -> NDArray[np.float64]:
    body = np.zeros((25, 3))
    for side in SIDES:
        body[_BODY_WRISTS[side]] = key_points(tracks, i, side)[0]
    return body


def key_points(tracks: Tracks, i: int, side: Side) -> NDArray[np.float64]:
    """(21, 3) x, y, confidence of frame i, the wrist first; zeros for a hand that is not there."""
    rows = WRIST_FIRST_ROWS[SIDES.index(side)]
    return np.nan_to_num(np.column_stack([tracks.joints_px[i, rows], tracks.joint_confidence[i, rows]]))


def _numbers(points: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.4f}") for value in points.ravel().tolist()]

"""Where cameras stand against each other, before everything is adjusted together (numpy and OpenCV; any thread).

A board that two cameras see at one moment tells where the second stands from the first. Cameras are chained along the
pairs that share most moments; of the many answers of a pair the one that is nearest to all others is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from realtime.calibration.board import View
from training.annotation.calibration.sightings import Sightings, shared_moments

FEWEST_SHARED: Final = 3
_REACH_MM: Final = 300.0
"""What turns an angle into a length when poses are compared."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pose:
    """A rigid motion: X_a = rotation @ X_b + shift_mm."""

    rotation: Floats
    shift_mm: Floats

    def after(self, other: Pose) -> Pose:
        """This motion after another one."""
        return Pose(self.rotation @ other.rotation, self.rotation @ other.shift_mm + self.shift_mm)

    def inverse(self) -> Pose:
        """The motion back."""
        return Pose(self.rotation.T, -self.rotation.T @ self.shift_mm)


def board_pose(view: View, lens: Intrinsics) -> Pose | None:
    """The board in the camera's frame; None if no pose fits."""
    matrix = np.array([[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]])
    good, turn, shift = cv2.solvePnP(
        view.corners_mm, view.corners_px, matrix, np.array(lens.distortion or (0.0,) * 5), flags=cv2.SOLVEPNP_ITERATIVE
    )
    return Pose(cv2.Rodrigues(turn)[0], shift.ravel()) if good and float(shift.ravel()[2]) > 0 else None


def place_cameras(seen: Sequence[Sightings], lenses: Sequence[Intrinsics]) -> tuple[list[Pose], dict[int, Pose]]:
    """Each camera from the first one's frame, and the board of every moment in that frame.

    Raises UserError naming a camera that shares too few moments with the others.
    """
    boards = [
        {m: pose for m, view in one.views.items() if (pose := board_pose(view, lens)) is not None}
        for one, lens in zip(seen, lenses, strict=True)
    ]
    shared = shared_moments(seen)
    placed: dict[int, Pose] = {0: Pose(np.eye(3), np.zeros(3))}
    while len(placed) < len(seen):
        links = [(int(shared[a, b]), a, b) for a in placed for b in range(len(seen)) if b not in placed]
        count, a, b = max(links)
        if count < FEWEST_SHARED:
            lone = ", ".join(seen[k].name for k in range(len(seen)) if k not in placed)
            raise UserError(
                f"camera {lone}: shows the board together with another camera at {count} moments, {FEWEST_SHARED} are "
                "needed: hold it where two cameras see it"
            )
        placed[b] = _between(boards[a], boards[b]).after(placed[a])
    cameras = [placed[k] for k in range(len(seen))]
    return cameras, _boards_in_world(cameras, boards)


def _between(boards_a: Mapping[int, Pose], boards_b: Mapping[int, Pose]) -> Pose:
    """Camera b from camera a: the answer of that moment which is nearest to those of all others."""
    answers = [boards_b[m].after(boards_a[m].inverse()) for m in boards_a if m in boards_b]
    distances = [float(np.median([_apart(one, other) for other in answers])) for one in answers]
    return answers[int(np.argmin(distances))]


def _apart(one: Pose, other: Pose) -> float:
    turn = cv2.Rodrigues(one.rotation @ other.rotation.T)[0]
    return float(np.linalg.norm(one.shift_mm - other.shift_mm) + _REACH_MM * np.linalg.norm(turn))


def _boards_in_world(cameras: Sequence[Pose], boards: Sequence[Mapping[int, Pose]]) -> dict[int, Pose]:
    """The board of each moment that any camera sees; of several answers the middle one."""
    found: dict[int, Pose] = {}
    for moment in sorted({m for one in boards for m in one}):
        answers = [c.inverse().after(b[moment]) for c, b in zip(cameras, boards, strict=True) if moment in b]
        distances = [float(np.median([_apart(a, other) for other in answers])) for a in answers]
        found[moment] = answers[int(np.argmin(distances))]
    return found

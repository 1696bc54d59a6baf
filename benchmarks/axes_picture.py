"""The picture of the joints' axes in docs/tracks.md: `python -m benchmarks.axes_picture [--output docs/rotations.png]`.

The generator's mean hand, flat from its back and bent from its thumb's side, with the axes that the tracker works out
from its 21 joints: x red, y green, z blue. Needs no OpenGL.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.files import in_one_step
from engines.skeleton import BONES, FINGER_TIPS, WRIST
from engines.terminal import command
from realtime.command import CommandParser
from realtime.rotations.hand_rotations import hand_rotations
from realtime.rotations.quaternions import matrices
from training.synth.hand.asset import load_asset
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import GESTURES
from training.synth.hand.shape import neutral_shape

_SIDE_PX: Final = 560
_FINE: Final = 3
"""Drawn so many times larger, then averaged."""
_PX_PER_MM: Final = 2.15
_AXIS_MM: Final = {WRIST: 30.0}
_SHORT_MM: Final = 15.0
_AXES_BGR: Final = ((60, 60, 230), (60, 160, 50), (230, 110, 40))
_SKIN: Final = np.array([190.0, 205.0, 232.0])
_BACK_UP: Final = np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]])
_FROM_THE_SIDE: Final = np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Turns from the asset's axes (radial, distal, palmar) into a picture's: right, down, away."""


def picture() -> NDArray[np.uint8]:
    """(H, 2 H, 3) both views."""
    views = (("open", _BACK_UP), ("relaxed", _FROM_THE_SIDE))
    return np.hstack([_view(gesture, turn) for gesture, turn in views])


def _view(gesture: str, turn: NDArray[np.float64]) -> NDArray[np.uint8]:
    shape = neutral_shape()
    state = HandState("right", GESTURES[gesture], Placement(np.zeros(3), turn))
    joints = state.skeleton(shape).joints_mm
    middle = (joints.max(axis=0) + joints.min(axis=0)) / 2
    canvas = np.full((_SIDE_PX * _FINE, _SIDE_PX * _FINE, 3), 255, np.uint8)
    mesh = state.mesh(shape)
    _draw_skin(canvas, mesh.vertices_mm - middle, mesh.normals)
    for child, parent in BONES:
        _line(canvas, joints[parent] - middle, joints[child] - middle, (90, 90, 90), 1.2)
    frames = matrices(hand_rotations(joints, "right"))
    shown = [joint for joint in range(21) if joint not in FINGER_TIPS]
    for joint in sorted(shown, key=lambda j: -joints[j, 2]):
        for axis in np.argsort(-frames[joint][2]):  # the one that points away is drawn first
            end = joints[joint] + frames[joint][:, axis] * _AXIS_MM.get(joint, _SHORT_MM)
            _line(canvas, joints[joint] - middle, end - middle, _AXES_BGR[axis], 2.2)
    return np.asarray(cv2.resize(canvas, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _draw_skin(canvas: NDArray[np.uint8], vertices_mm: NDArray, normals: NDArray) -> None:
    """The far triangles first, lighter where they face the viewer."""
    triangles = load_asset().triangles
    order = np.argsort(-vertices_mm[triangles, 2].mean(axis=1))
    facing = np.clip(-normals[triangles, 2].mean(axis=1), 0, 1)
    pixels = _pixels(vertices_mm)
    for triangle in order:
        colour = (_SKIN * (0.72 + 0.28 * facing[triangle])).tolist()
        cv2.fillConvexPoly(canvas, pixels[triangles[triangle]], colour, cv2.LINE_AA)


def _line(canvas: NDArray[np.uint8], start: NDArray, end: NDArray, colour: tuple[int, int, int], width: float) -> None:
    a, b = _pixels(np.stack([start, end]))
    cv2.line(canvas, a.tolist(), b.tolist(), colour, round(width * _FINE), cv2.LINE_AA)


def _pixels(points_mm: NDArray) -> NDArray[np.int32]:
    return np.asarray(np.round((points_mm[:, :2] * _PX_PER_MM + _SIDE_PX / 2) * _FINE), np.int32)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.axes_picture", __doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/rotations.png"))
    output = parser.parse_args(argv).output
    with in_one_step(output) as temporary:
        cv2.imwrite(str(temporary), picture(), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fits the hand model to hands that networks found in pictures, and writes their joint angles.

    python -m training.synth.fit_poses --labels ../shared/data/real --out training/synth/hand/seen_poses.csv

Only angles are kept: no picture, no size, no place. The most different hands are chosen, so that common poses do not
crowd out rare ones; what the model cannot follow within a few millimetres is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from engines.errors import UserError
from engines.skeleton import BONES, SIDES, WRIST
from realtime.command import CommandParser
from training.command import positive
from training.synth.hand.contact import SELF_TOLERANCE_MM, self_gap_mm
from training.synth.hand.model import Placement, hand_skeleton
from training.synth.hand.poses import GESTURES, LOWER_DEG, UPPER_DEG, JointAngles
from training.synth.hand.seen import write_poses
from training.synth.hand.shape import HandShape, neutral_shape

PALM: Final = [WRIST, 7, 11, 15, 19]
MOST_MM: Final = 5.5
"""Largest mean distance of a fitted hand's joints from the labels."""
DEPTH_WEIGHT: Final = 0.5
"""Labelled depths are half as sure as places in the picture."""
_NOWHERE: Final = Placement(np.zeros(3), np.eye(3))
_CHILDREN: Final = np.array([child for child, _ in BONES])
_PARENTS: Final = np.array([parent for _, parent in BONES])


def labelled_hands(root: Path) -> NDArray[np.float64]:
    """(N, 21, 3) x and y in pixels, z in mm, of all hands of the shards below `root`, left ones mirrored."""
    found = []
    for path in sorted(root.glob("*.npz")):
        with np.load(path, allow_pickle=False) as labels:
            places, depth, known = (labels[name] for name in ("joints_px", "joint_depth_mm", "depth_known"))
        joints = np.concatenate([places, depth[..., None]], axis=-1).astype(np.float64)
        for hand in range(len(SIDES)):
            rows = slice(21 * hand, 21 * hand + 21)
            whole = known[:, rows].all(axis=1) & np.isfinite(joints[:, rows]).all(axis=(1, 2))
            found.append(joints[whole, rows] * ([1.0, 1, 1] if hand == 0 else [-1.0, 1, 1]))
    if not found:
        raise UserError(f"{root}: no shards of labelled hands (NAME.npz with joints_px and joint_depth_mm)")
    return np.concatenate(found)


def in_mm(hand: NDArray, shape: HandShape) -> NDArray[np.float64]:
    """(21, 3) mm of a hand in pixels and mm: scaled so that its bones together are as long as the model's."""
    wanted = np.linalg.norm(shape.joints_mm[_CHILDREN] - shape.joints_mm[_PARENTS], axis=1).sum()
    bones = hand[_CHILDREN] - hand[_PARENTS]
    across, along = np.linalg.norm(bones[:, :2], axis=1), bones[:, 2]
    low, high = 1e-3, 1e2
    for _ in range(50):
        scale = (low * high) ** 0.5
        long = np.hypot(across * scale, along).sum() > wanted
        low, high = (low, scale) if long else (scale, high)
    return (hand - hand[WRIST]) * [low, low, 1.0]


def in_palm_frame(joints_mm: NDArray, shape: HandShape) -> NDArray[np.float64]:
    """(21, 3) turned so that its palm lies as the model's."""
    return joints_mm @ _turn_of_palm(joints_mm, shape)


def _turn_of_palm(joints_mm: NDArray, shape: HandShape) -> NDArray[np.float64]:
    """(3, 3) camera_from_hand."""
    model = shape.joints_mm[PALM] - shape.joints_mm[WRIST]
    return Rotation.align_vectors(joints_mm[PALM] - joints_mm[WRIST], model)[0].as_matrix()


def most_different(shapes: NDArray, count: int) -> list[int]:
    """Rows of (N, D) chosen one after the other, each farthest from those before."""
    chosen = [int(np.argmin(np.linalg.norm(shapes - np.median(shapes, axis=0), axis=1)))]
    distance = np.linalg.norm(shapes - shapes[chosen[0]], axis=1)
    while len(chosen) < min(count, len(shapes)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(shapes - shapes[chosen[-1]], axis=1))
    return chosen


def fit(joints_mm: NDArray, shape: HandShape) -> tuple[JointAngles, float]:
    """Angles of the model nearest to (21, 3) mm in the camera frame, and its joints' mean distance in mm."""
    start = np.concatenate(
        [
            GESTURES["relaxed"].fingers_deg.ravel(),
            Rotation.from_matrix(_turn_of_palm(joints_mm, shape)).as_rotvec(degrees=True),
            np.zeros(3),
        ]
    )

    def off(values: NDArray) -> NDArray:
        return _model(values, shape) - joints_mm

    def residuals(values: NDArray) -> NDArray:
        fingers = values[:20].reshape(5, 4)
        stiff = 0.08 * np.concatenate([fingers[1:, 1], fingers[1:, 3] - 0.62 * fingers[1:, 2], 0.5 * fingers[0]])
        return np.concatenate([(off(values) * [1, 1, DEPTH_WEIGHT]).ravel(), stiff])

    low = np.concatenate([LOWER_DEG.ravel() - 1e-3, np.full(6, -np.inf)])
    high = np.concatenate([UPPER_DEG.ravel() + 1e-3, np.full(6, np.inf)])
    found = least_squares(residuals, np.clip(start, low + 1e-2, high - 1e-2), bounds=(low, high), max_nfev=12)
    error = np.linalg.norm(off(found.x) * [1, 1, DEPTH_WEIGHT], axis=1).mean()
    return JointAngles(found.x[:20].reshape(5, 4), np.zeros(3)).limited(), float(error)


def _model(values: NDArray, shape: HandShape) -> NDArray[np.float64]:
    """(21, 3) joints in the camera frame: 20 angles, a turn and a shift."""
    angles = JointAngles(values[:20].reshape(5, 4), np.zeros(3))
    joints = hand_skeleton(shape, angles, _NOWHERE, "right").joints_mm
    turn = Rotation.from_rotvec(values[20:23], degrees=True).as_matrix()
    return (joints - joints[WRIST]) @ turn.T + values[23:]


def main(argv: list[str] | None = None) -> int:
    """Command line entry; returns the exit code."""
    parser = CommandParser("python -m training.synth.fit_poses", __doc__)
    parser.add_argument("--labels", type=Path, required=True, help="folder of shards of labelled real hands")
    parser.add_argument("--out", type=Path, required=True, help="file of joint angles to write")
    parser.add_argument("--count", type=positive, default=500, help="hands to fit; those that fit badly are left out")
    a = parser.parse_args(argv)
    try:
        fitted = fit_most_different(labelled_hands(a.labels), a.count)
        write_poses(a.out, fitted)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(fitted)} poses of {a.count} hands in {a.out}")
    return 0


def fit_most_different(hands: NDArray, count: int) -> list[JointAngles]:
    """Poses of those of the most different hands (N, 21, 3) that the model can follow without running into itself."""
    shape = neutral_shape()
    in_space = [in_mm(hand, shape) for hand in hands]
    compared = np.stack([in_palm_frame(joints, shape).ravel() for joints in in_space])
    fitted = []
    for number, row in enumerate(most_different(compared, count)):
        angles, error = fit(in_space[row], shape)
        gap = self_gap_mm(hand_skeleton(shape, angles, _NOWHERE, "right"))
        if error <= MOST_MM and gap > SELF_TOLERANCE_MM - 3:
            fitted.append(angles)
        if number % 50 == 49:
            print(f"{number + 1} hands, {len(fitted)} kept", flush=True)
    return fitted


if __name__ == "__main__":
    sys.exit(main())

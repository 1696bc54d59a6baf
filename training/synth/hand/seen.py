"""Poses that people were seen to make, as joint angles (numpy only; any thread).

`seen_poses.csv` was fitted by `training.synth.fit_poses` to hands that networks found in pictures: finger spelling,
counting, gestures, work. A line is a pose: thumb to little finger, four whole degrees each, as in `JointAngles`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from training.synth.hand.poses import DIP_PER_PIP, JointAngles

POSES_FILE: Final = Path(__file__).parent / "seen_poses.csv"
SPREAD_DEG: Final = np.array([5.0, 2.5, 6.0, 0.0])
"""Deviations of what is drawn from what was seen: base flexion, abduction, middle joint; the end joint follows."""


@lru_cache(maxsize=1)
def seen_poses() -> NDArray[np.float64]:
    """(N, 5, 4) degrees; raises `UserError` where the file is missing or damaged."""
    try:
        angles = np.loadtxt(POSES_FILE, delimiter=",", dtype=np.float64, ndmin=2).reshape(-1, 5, 4)
    except (OSError, ValueError) as error:
        raise UserError(f"{POSES_FILE} is missing or damaged: check the file out again") from error
    angles.setflags(write=False)
    return angles


def write_poses(path: Path, poses: list[JointAngles]) -> None:
    """Write a file of poses; `UserError` if it cannot be written."""
    rows = np.rint([pose.fingers_deg.ravel() for pose in poses]).astype(int).reshape(-1, 20)
    try:
        np.savetxt(path, rows, fmt="%d", delimiter=",")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error


def sample_seen(rng: np.random.Generator) -> JointAngles:
    """A seen pose and a little away from it, wrist straight."""
    poses = seen_poses()
    base = poses[int(rng.integers(len(poses)))]
    fingers = base + rng.normal(0, SPREAD_DEG, (5, 4))
    fingers[0] += rng.normal(0, 4, 4)
    # the end joint strays with the middle one, from where it was seen
    fingers[1:, 3] = base[1:, 3] + DIP_PER_PIP * (fingers[1:, 2] - base[1:, 2]) + rng.normal(0, 3, 4)
    return JointAngles(fingers, np.zeros(3)).limited()

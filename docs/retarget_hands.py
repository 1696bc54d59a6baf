"""Drives a robot's hand from this program's hands with dex-retargeting: joint angles, one line of JSON a frame.

    python docs/retarget_hands.py --config CONFIG.yml --urdf FOLDER --side right hands.npz
    python docs/retarget_hands.py --config CONFIG.yml --urdf FOLDER --side right ws://127.0.0.1:8765

FOLDER is `robots/hands` of https://github.com/dexsuite/dex-urdf, CONFIG.yml one of dex-retargeting's own, such as
`configs/teleop/shadow_hand_right.yml`. Needs numpy, dex-retargeting, six, and for the second line websockets; it needs
nothing of this program, whose NumPy is older than dex-retargeting's: give it a Python environment of its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WRIST_FIRST = (20, *(base - k for base in (3, 7, 11, 15, 19) for k in range(4)))
"""The order that retargeting wants: the wrist, then each finger from base to tip."""
MANO_FROM_WRIST = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""dex-retargeting's axes of either hand: x out of the palm, y to the left of a hand that lies palm down, z forward."""


def wrist_joints_m(joints_cam_mm: Any, joint_rotations: Any) -> Any:
    """(21, 3) joints and (21, 4) rotations of track file or stream -> (21, 3) m, in the wrist's frame, wrist first."""
    joints = np.asarray(joints_cam_mm, float)
    x, y, z, w = np.asarray(joint_rotations, float)[20]
    camera_from_wrist = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    in_wrist = (joints - joints[20]) @ camera_from_wrist
    return (in_wrist @ MANO_FROM_WRIST.T)[list(WRIST_FIRST)] / 1000.0


def hands(source: str, side: str) -> Iterator[tuple[float, Any]]:
    """Time in s and joints (21, 3) m of every frame with that hand, from a track file or a running program."""
    if not source.startswith("ws://"):
        with np.load(source, allow_pickle=False) as tracks:
            rows = slice(0, 21) if side == "right" else slice(21, 42)
            times, joints, turns = tracks["t_s"], tracks["joints_cam_mm"][:, rows], tracks["joint_rotations"][:, rows]
        for i in np.flatnonzero(np.isfinite(joints[:, 0, 0])):
            yield float(times[i]), wrist_joints_m(joints[i], turns[i])
        return
    from websockets.sync.client import connect

    with connect(source) as socket:
        for text in socket:
            message = json.loads(text)
            for hand in message.get("hands", []):
                if hand["side"] == side and hand["joint_rotations"] is not None:
                    yield message["t_s"], wrist_joints_m(hand["joints_cam_mm"], hand["joint_rotations"])


def retargeted(source: str, side: str, config: Path, urdf: Path) -> Iterator[tuple[float, dict[str, float]]]:
    """Time in s and the robot's joint angles (rad) by name, frame by frame."""
    from dex_retargeting.retargeting_config import RetargetingConfig

    RetargetingConfig.set_default_urdf_dir(str(urdf.resolve()))
    retargeting = RetargetingConfig.load_from_file(config).build()
    wanted = retargeting.optimizer.target_link_human_indices
    for t_s, joints_m in hands(source, side):
        goal = joints_m[wanted]
        if retargeting.optimizer.retargeting_type != "POSITION":  # from one joint to another, such as wrist to tip
            goal = joints_m[wanted[1]] - joints_m[wanted[0]]
        angles = retargeting.retarget(goal)
        yield t_s, dict(zip(retargeting.joint_names, (round(float(angle), 5) for angle in angles), strict=True))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a track file (.npz), or the ws://HOST:PORT of run_demo.py --websocket")
    parser.add_argument("--side", choices=("right", "left"), default="right")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--urdf", type=Path, required=True)
    words = parser.parse_args()
    for t_s, angles in retargeted(words.source, words.side, words.config, words.urdf):
        print(json.dumps({"t_s": t_s, "joints_rad": angles}), flush=True)


if __name__ == "__main__":
    main()

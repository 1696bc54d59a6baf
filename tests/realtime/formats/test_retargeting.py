"""docs/retarget_hands.py: joints in the frame that dex-retargeting works in, and a robot's hand that follows."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES, SIDES, Side
from realtime.formats.saving import save_as
from realtime.tracks.schema import Tracks
from tests.support.other_python import run_with
from tests.support.robot_hand import robot_hand
from tests.support.track_files import tracks_of

SCRIPT = Path(__file__).parents[3] / "docs/retarget_hands.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("retarget_hands", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return tracks_of(["rl", "", *["rl"] * 18])


def wrist_joints(script: ModuleType, tracks: Tracks, i: int, side: Side) -> NDArray[np.float64]:
    rows = HAND_SLICES[side]
    found: NDArray[np.float64] = script.wrist_joints_m(tracks.joints_cam_mm[i, rows], tracks.joint_rotations[i, rows])
    return found


@pytest.mark.parametrize("side", SIDES)
def test_the_frame_is_dex_retargetings(script: ModuleType, tracks: Tracks, side: Side) -> None:
    """As its own detector makes it of key points: palm plane from wrist, index and middle base; MANO's axes."""
    points = wrist_joints(script, tracks, 0, side)
    assert np.abs(points[0]).max() == 0
    forward = points[9] / np.linalg.norm(points[9])
    assert forward[2] > 0.98  # to the middle finger
    towards_thumb = (points[5] - points[9])[1]
    assert (towards_thumb > 0) == (side == "right")
    normal = np.cross(points[5], points[9]) * (-1 if side == "right" else 1)
    assert abs(normal[0]) / np.linalg.norm(normal) > 0.9
    bent = points[[8, 12, 16, 20]] - points[[5, 9, 13, 17]]
    assert (bent[:, 0] > 0).all()  # these fingers bend towards the palm


def test_it_does_not_matter_where_the_hand_is_and_how_it_is_turned(script: ModuleType, tracks: Tracks) -> None:
    from scipy.spatial.transform import Rotation

    rows = HAND_SLICES["right"]
    turn = Rotation.from_rotvec((0.3, -0.8, 0.5))
    moved = turn.apply(tracks.joints_cam_mm[0, rows]) + (10.0, 20.0, 300.0)
    turned = (turn * Rotation.from_quat(tracks.joint_rotations[0, rows])).as_quat()
    np.testing.assert_allclose(
        script.wrist_joints_m(moved, turned), wrist_joints(script, tracks, 0, "right"), atol=1e-5
    )


def test_a_robots_hand_follows(tracks: Tracks, tmp_path: Path) -> None:
    """With dex-retargeting's own settings for the Allegro: what a person's fingers bend, the robot's do."""
    package = run_with("dex_retargeting", "-c", "import dex_retargeting; print(dex_retargeting.__path__[0])").strip()
    (tmp_path / "allegro_hand").mkdir()
    (tmp_path / "allegro_hand/allegro_hand_right.urdf").write_text(robot_hand())
    save_as(tracks, tmp_path / "t.npz")
    config = f"{package}/configs/teleop/allegro_hand_right.yml"
    words = (str(SCRIPT), str(tmp_path / "t.npz"), "--config", config, "--urdf", str(tmp_path))
    frames = [json.loads(line) for line in run_with("dex_retargeting", *words).splitlines() if line.startswith("{")]
    assert [round(frame["t_s"] * 30) for frame in frames] == [0, *range(2, 20)]
    for finger in (0, 4, 8):
        bent = [sum(frame["joints_rad"][f"joint_{finger + k}.0"] for k in (1, 2, 3)) for frame in frames]
        assert bent[-1] > 0.3

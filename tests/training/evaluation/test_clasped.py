"""The sheet of hands that touch, and the rule by which joints lie in a knot."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.evaluate_clasped import main
from training.evaluation.knots import spread_of
from training.evaluation.pictures import TILE_PX
from training.synth.hand.model import HandState
from training.synth.hand.shape import neutral_shape
from training.synth.pair.contact import sample_pair

CLASPED = Path(__file__).parents[4] / "shared" / "data" / "eval" / "clasped"


def _joints_px(pair: tuple[HandState, HandState]) -> np.ndarray:
    """(42, 2): as a camera in front of the person sees them from afar."""
    return np.concatenate([state.skeleton(neutral_shape()).joints_mm for state in pair])[:, :2] * 0.7 + 300


@pytest.mark.parametrize("name", ["heart", "steeple", "frame", "fist_on_fist"])
def test_joints_of_two_hands_are_no_knot_and_those_drawn_to_the_middle_are(name: str) -> None:
    pairs = [sample_pair(np.random.default_rng(seed), neutral_shape(), name, "raised") for seed in range(4)]
    for pair in pairs:
        if pair is None:
            continue
        joints = _joints_px(pair)
        low, high = joints.min(axis=0), joints.max(axis=0)
        box = np.concatenate([low - 0.08 * (high - low), high + 0.08 * (high - low)])
        middle = (low + high) / 2
        assert not spread_of(joints, box).is_knot
        assert spread_of(middle + 0.6 * (joints - middle), box).is_knot


def test_one_hand_in_a_knot_is_enough() -> None:
    joints = np.random.default_rng(0).uniform(0, 100, (42, 2))
    box = np.array([0.0, 0, 100, 100])
    assert not spread_of(joints, box).is_knot
    joints[21:] = 50 + 0.2 * (joints[21:] - 50)
    found = spread_of(joints, box)
    assert found.is_knot
    assert found.hands[1] < found.hands[0]


def test_the_command_prints_and_draws_all_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not CLASPED.is_dir():
        pytest.skip("no pictures of clasped hands here")
    labels = json.loads((CLASPED / "labels.json").read_text())
    (tmp_path / "images").symlink_to(CLASPED / "images")
    (tmp_path / "labels.json").write_text(json.dumps({"frames": labels["frames"][:3]}))
    assert main(["--clasped", str(tmp_path), "--sheet", str(tmp_path / "sheet.png")]) == 0
    said = capsys.readouterr().out
    assert "3 pictures" in said
    assert "mean confidence" in said
    assert "joints in a knot" in said
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (TILE_PX, 3 * TILE_PX, 3)


def test_a_folder_without_labels_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--clasped", str(tmp_path)]) == 2
    assert "no pictures of clasped hands" in capsys.readouterr().err

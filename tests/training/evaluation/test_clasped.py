"""The sheet of hands that touch, and the rule by which joints lie in a knot."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.backends.opening import open_backend
from engines.building.sample_crops import read_frames
from engines.contract import EngineRequest
from engines.second_look import looking_twice
from tests.support.recordings import SAMPLE
from training.evaluate_clasped import look_again, look_at_pair, main
from training.evaluation.clips import load_truth
from training.evaluation.knots import spread_of
from training.evaluation.pictures import TILE_PX
from training.pairs.clasped import ClaspedPicture
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


def test_hands_that_hang_are_read_in_the_crop_turned_by_the_first_answer() -> None:
    """A frame of the sample clip upside down: the second crop is turned by half, and the joints lie where they are."""
    truth = load_truth(SAMPLE.with_suffix(".npz"))
    apart = np.linalg.norm(truth.joints_px[:, :21].mean(axis=1) - truth.joints_px[:, 21:].mean(axis=1), axis=-1)
    frame = int(np.argmin(np.where(truth.fully_in_view.all(axis=1), apart, np.inf)))
    picture = read_frames(SAMPLE, {frame})[frame][::-1, ::-1]
    joints = np.array(picture.shape[1::-1]) - 1 - truth.joints_px[frame].astype(np.float64)
    clasped = ClaspedPicture("hanging", np.ascontiguousarray(picture), np.concatenate([joints.min(0), joints.max(0)]))
    backend = looking_twice(open_backend(EngineRequest(backend="openvino")), "lite")
    first = look_at_pair(backend, clasped)
    second = look_again(backend, first)
    off = [np.linalg.norm(one.joints_px - joints, axis=-1).mean() for one in (first, second)]
    wrong = np.array(off) / second.crop.side_px
    assert abs(abs(second.crop.angle_rad) - np.pi) < 0.6
    assert wrong[1] < 0.1 < wrong[0]


def test_the_command_prints_and_draws_all_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not CLASPED.is_dir():
        pytest.skip("no pictures of clasped hands here")
    labels = json.loads((CLASPED / "labels.json").read_text())
    (tmp_path / "images").symlink_to(CLASPED / "images")
    (tmp_path / "labels.json").write_text(json.dumps({"frames": labels["frames"][:3]}))
    assert main(["--clasped", str(tmp_path), "--sheet", str(tmp_path / "sheet.png")]) == 0
    said = capsys.readouterr().out
    assert "3 pictures" in said
    assert said.count("mean confidence") == 2
    assert "joints in a knot" in said
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (TILE_PX, 3 * TILE_PX, 3)


def test_a_folder_without_labels_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--clasped", str(tmp_path)]) == 2
    assert "no pictures of clasped hands" in capsys.readouterr().err

"""MediaPipe's networks run by OpenVINO: the hands that MediaPipe itself finds, and what is said where they are not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines import mediapipe_wheel
from engines.errors import UserError
from engines.palm_boxes import KEYPOINTS, apart, palms, region_of
from engines.palm_detector import PalmDetector
from engines.region import Region
from engines.ssd_boxes import Detection
from realtime.sources.recording import VideoSource

ROOT = Path(__file__).parents[2]
MOST = 4


@pytest.fixture(scope="module")
def detector() -> PalmDetector:
    return PalmDetector(0.5, MOST)


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    """Both hands, one and none, wide, high and turned."""
    frames = [frame.image_bgr for frame in VideoSource(ROOT / "samples" / "two_hands.mp4")][20::90]
    turned = [np.ascontiguousarray(np.rot90(frames[0])), cv2.resize(frames[1], (320, 200))]
    return [*frames, *turned, np.zeros((48, 64, 3), np.uint8), frames[0][:, :200].copy()]


@pytest.fixture
def theirs() -> Iterator[object]:
    hands = pytest.importorskip("mediapipe").solutions.hands.Hands(
        static_image_mode=True, max_num_hands=MOST, model_complexity=0, min_detection_confidence=0.5
    )
    yield hands
    hands.close()


def test_the_hands_are_mediapipes(detector: PalmDetector, pictures: list[NDArray[np.uint8]], theirs: object) -> None:
    seen = 0
    for image in pictures:
        height, width = image.shape[:2]
        answer = theirs.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))  # type: ignore[attr-defined]
        found = detector(image)
        wanted = answer.multi_hand_landmarks or []
        assert len(found) == len(wanted)
        for hand, landmarks, side in zip(found, wanted, answer.multi_handedness or [], strict=True):
            points = np.array([(p.x * width, p.y * height) for p in landmarks.landmark]) - 0.5
            np.testing.assert_allclose(hand.points_px, points, atol=2e-3 * np.ptp(points, axis=0).max())
            named = side.classification[0]
            left = named.score if named.label == "Left" else 1 - named.score
            assert hand.left_in_mirror == pytest.approx(left, abs=2e-3)
            seen += 1
    assert seen >= 5


def test_answers_that_overlap_become_their_mean_by_score() -> None:
    """Three anchors of the middle, two of them with the same palm, the third beside; the rest says nothing."""
    logits = np.full(2016, -20.0, np.float32)
    answers = np.zeros((2016, 4 + 2 * KEYPOINTS), np.float32)
    answers[:, 2:4] = 40.0
    first, second, other = 600, 601, 10  # two share a cell
    logits[[first, second, other]] = 2.0, 1.0, 0.5
    answers[second, 0] = 6.0
    found = palms(answers, logits, least=0.5)
    assert [round(palm.score, 3) for palm in found] == [0.881, 0.622]
    sure, less = 1 / (1 + np.exp(-np.array([2.0, 1.0])))
    middle = found[0].box[[0, 2]].mean()
    alone = palms(answers, np.where(np.arange(2016) == first, logits, -20), least=0.5)[0].box[[0, 2]].mean()
    assert middle - alone == pytest.approx(6 / 192 * less / (sure + less))
    assert palms(answers, logits, least=0.9) == []


@pytest.mark.parametrize("turn", [0.0, 1.0, -2.5])
def test_a_region_turns_and_moves_with_its_palm(turn: float) -> None:
    """Half a palm's side above a palm that stands upright, and turned about the middle of the picture with it."""
    size_px = (640, 480)
    middle = np.array([320.0, 240.0])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    upright = middle + np.array([[50.0, 60.0], [50.0, -40.0]])  # wrist, middle finger's base
    points_px = (upright - middle) @ rotation.T + middle
    centre = (np.array([50.0, 10.0])) @ rotation.T + middle
    shown = np.zeros((KEYPOINTS, 2))
    shown[[0, 2]] = (points_px + [0, 80]) / 640
    box_px = np.concatenate([centre - 50, centre + 50])
    region = region_of(Detection(0.9, (box_px + [0, 80, 0, 80]) / 640, shown), size_px)
    assert region.turn_rad == pytest.approx(turn)
    assert region.side == pytest.approx(260.0)
    np.testing.assert_allclose([region.x, region.y], centre + rotation @ [0, -50])
    lower, upper, _ = region.corners()
    np.testing.assert_allclose(upper - lower, rotation @ [0, -260], rtol=1e-5)


def test_of_regions_that_cover_each_other_the_later_one_stays() -> None:
    first, same, beside = Region(100, 100, 80, 0), Region(110, 100, 80, 1), Region(200, 100, 80, 0)
    assert apart([first, beside, same]) == [beside, same]


def test_a_wheel_without_the_networks_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    noise = tmp_path / "noise.tflite"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    monkeypatch.setattr("engines.wheel_network.wheel_file", lambda _: noise)
    with pytest.raises(UserError, match="install mediapipe") as error:
        PalmDetector(0.5, MOST)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"no\.tflite is not in this mediapipe wheel"):
        mediapipe_wheel.wheel_file("modules/no.tflite")
    monkeypatch.setattr(mediapipe_wheel, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="make setup"):
        mediapipe_wheel.wheel_file("modules/no.tflite")


def test_what_tracks_hands_leaves_the_large_packages_out() -> None:
    """They would take hundreds of megabytes, and the program's start a second."""
    code = (
        "import sys, run_demo\n"
        "from realtime.tracking.finder import HandFinder\n"
        "HandFinder(0.5)\n"
        "print(*{'mediapipe', 'matplotlib', 'torch', 'onnx', 'scipy', 'open3d', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

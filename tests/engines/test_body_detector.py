"""BlazePose run by OpenVINO: the body that MediaPipe itself finds, and where its hands are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.body_detector import BodyDetector, FoundBody
from engines.body_points import hand_region, refined_by
from engines.skeleton import SIDES, Side
from realtime.sources.recording import VideoSource

SIGNER = Path(__file__).parents[3] / "shared/data/video/signing/asl_different.gif"


@pytest.fixture(scope="module")
def detector() -> BodyDetector:
    return BodyDetector(0.5)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """A signer of whose hands no palm shows."""
    if not SIGNER.is_file():
        pytest.skip(f"{SIGNER} is not here")
    with VideoSource(SIGNER) as source:
        return next(frame.image_bgr for frame in source if frame.index == 30)


def test_the_body_is_mediapipes(detector: BodyDetector, picture: NDArray[np.uint8]) -> None:
    pose = pytest.importorskip("mediapipe").solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    try:
        answer = pose.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).pose_landmarks
    finally:
        pose.close()
    height, width = picture.shape[:2]
    theirs = np.array([(p.x * width, p.y * height) for p in answer.landmark]) - 0.5
    found = detector(picture)
    assert isinstance(found, FoundBody)
    off = np.linalg.norm(found.points_px - theirs, axis=1) / np.ptp(theirs, axis=0).max()
    assert np.median(off) < 5e-4
    assert off.max() < 0.02  # a heat map that is just hot enough for one of both moves a point


def test_where_nobody_is_no_body_is_found(detector: BodyDetector) -> None:
    assert detector(np.zeros((240, 320, 3), np.uint8)) is None


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.0])
@pytest.mark.parametrize("side", SIDES)
def test_a_hands_region_turns_grows_and_moves_with_it(side: Side, turn: float) -> None:
    wrist, little, index = (16, 18, 20) if side == "right" else (15, 17, 19)
    upright = np.zeros((33, 2))
    upright[wrist], upright[little], upright[index] = (0, 0), (20, -90), (-10, -90)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = upright @ rotation.T + [300.0, 200.0]
    region = hand_region(points, side)
    np.testing.assert_allclose([region.x, region.y], rotation @ [0, -90] + [300, 200])
    assert region.turn_rad == pytest.approx(turn)
    assert hand_region(2 * points, side).side == pytest.approx(2 * region.side)
    assert 3 * 90 < region.side < 6 * 90  # a hand is twice as long as its palm


def test_a_point_goes_where_the_heat_is_and_stays_where_it_is_cold() -> None:
    heat = np.full((64, 64, 2), -9.0, np.float32)
    heat[20, 31, 0] = 5.0
    points = np.array([[30.5, 21.5], [30.5, 21.5]]) / 64
    moved = refined_by(heat, points) * 64
    np.testing.assert_allclose(moved[0], [31, 20], atol=0.1)
    np.testing.assert_array_equal(moved[1], [30.5, 21.5])
    np.testing.assert_array_equal(refined_by(heat, points + 2), points + 2)

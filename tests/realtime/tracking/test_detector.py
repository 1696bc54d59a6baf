"""The detector of hands on pictures of any size and proportions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.sources.recording import VideoSource
from realtime.tracking.detector import HandDetector
from tests.support.recordings import ROOT


@pytest.fixture(scope="module")
def detector() -> HandDetector:
    return HandDetector(0.5)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5000, 1), (1, 5000), (2, 3000)])
def test_in_the_thinnest_picture_is_no_hand(detector: HandDetector, size: tuple[int, int]) -> None:
    """One side of a strip reduced to 640 pixels is less than half a pixel."""
    assert detector(np.full((*size, 3), 128, np.uint8)) == []


def test_a_picture_of_other_size_has_the_same_hands(detector: HandDetector) -> None:
    frame = next(frame for i, frame in enumerate(VideoSource(ROOT / "samples" / "two_hands.mp4")) if i == 110)
    image = frame.image_bgr
    height, width = image.shape[:2]
    size = 3 * width - 7, 3 * height - 2  # neither side becomes a whole number of pixels
    boxes, others = detector(image), detector(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))
    assert [box.side for box in boxes] == [box.side for box in others]
    assert len(boxes) == 2
    times = np.array(size) / (width, height)
    for box, other in zip(boxes, others, strict=True):
        np.testing.assert_allclose(
            np.array(other.crop.center_px) + 0.5,
            times * (np.array(box.crop.center_px) + 0.5),
            atol=0.03 * other.crop.side_px,
        )
        assert other.crop.side_px == pytest.approx(times.mean() * box.crop.side_px, rel=0.05)

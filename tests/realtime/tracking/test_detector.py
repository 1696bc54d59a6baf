"""The detector of hands on pictures of any size and proportions."""

from __future__ import annotations

import gc
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.body_detector import BodyDetector
from realtime.messages import HandBox
from realtime.sources.recording import VideoSource
from realtime.tracking.detector import HandDetector
from realtime.tracking.finder import HandFinder
from realtime.tracking.next_crop import near
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


def test_hands_whose_palms_do_not_show_are_found_where_arms_end() -> None:
    """A signer's hands, of which the palm detector sees next to none; what finds no body for long is let go."""
    clip = Path(ROOT).parent / "shared/data/video/signing/asl_house.gif"
    if not clip.is_file():
        pytest.skip(f"{clip} is not here")
    pictures = [frame.image_bgr for frame in VideoSource(clip)][24:37:4]
    finder = HandFinder(0.5, pairs=False)
    palms, both = (
        [[one for one in finder(image, bodies=bodies) if isinstance(one, HandBox)] for image in pictures]
        for bodies in (False, True)
    )
    assert sum(map(len, both)) >= sum(map(len, palms)) + 3
    for boxes in both:
        assert len({box.side for box in boxes}) == len(boxes)
        assert not any(near(a.crop, b.crop) for a, b in combinations(boxes, 2))
    for _ in range(3):
        assert finder(np.zeros_like(pictures[0]), bodies=True) == []
    assert not [one for one in gc.get_objects() if isinstance(one, BodyDetector)]

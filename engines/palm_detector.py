"""MediaPipe's palm detector and hand landmarks in a whole picture, run by OpenVINO on a CPU (one thread).

MediaPipe's own runtime gives the same points to a thousandth of the hand's size with 100 MB more of memory; where there
is a display, it also opens OpenGL, which is another 90 MB where that is drawn in software.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.palm_boxes import PALM_INPUT_PX, apart, palms, region_of
from engines.region import Region, cut, whole
from engines.wheel_network import ask, wheel_request

PALM_FILE: Final = "modules/palm_detection/palm_detection_lite.tflite"
LANDMARK_FILE: Final = "modules/hand_landmark/hand_landmark_lite.tflite"
_LANDMARK_INPUT_PX: Final = 224
_PRESENT: Final = 0.5
"""Where the landmark network is less sure that there is a hand, there is none."""


@dataclass(frozen=True)
class FoundHand:
    """A hand as MediaPipe has it."""

    points_px: NDArray[np.float64]
    """(21, 2) from the wrist out; (0, 0) is the centre of the top left pixel."""
    left_in_mirror: float
    """Probability that it is what MediaPipe calls a left hand: in a picture that is not mirrored, a right one."""


class PalmDetector:
    """Hands in a picture, each time from nothing."""

    def __init__(self, least: float, most_hands: int, cache: Path | None = None) -> None:
        """`least`: score of a palm; `cache`: folder of engines, None for the user's.

        Raises UserError where OpenVINO or the networks are not here.
        """
        self._least = least
        self._most_hands = most_hands
        self._palms = wheel_request(PALM_FILE, cache)
        self._landmarks = wheel_request(LANDMARK_FILE, cache)

    def __call__(self, image_bgr: NDArray[np.uint8]) -> list[FoundHand]:
        """The hands of a (H, W, 3) BGR picture; each palm's surest first."""
        size_px = image_bgr.shape[1], image_bgr.shape[0]
        answers, logits = ask(self._palms, cut(image_bgr, whole(size_px), PALM_INPUT_PX, cv2.BORDER_CONSTANT))
        found = palms(answers[0], logits[0, :, 0], self._least)[: self._most_hands]
        regions = apart([region_of(palm, size_px) for palm in found])
        hands = [self.hand_in(image_bgr, region) for region in regions]
        return [hand for hand in hands if hand is not None]

    def hand_in(self, image_bgr: NDArray[np.uint8], region: Region) -> FoundHand | None:
        """The hand that points up in a region, if there is one."""
        crop = cut(image_bgr, region, _LANDMARK_INPUT_PX, cv2.BORDER_REPLICATE)
        points, present, left, _ = ask(self._landmarks, crop)
        if present[0, 0] < _PRESENT:
            return None
        in_region = points.reshape(21, 3)[:, :2] / _LANDMARK_INPUT_PX
        return FoundHand(region.in_picture(in_region), float(left[0, 0]))

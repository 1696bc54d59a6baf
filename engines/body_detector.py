"""BlazePose: the points of a body in a whole picture, run by OpenVINO on a CPU (one thread).

A hand that is small, turned away or half hidden may show no palm; that an arm ends there, a body's shape tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.body_points import BODY_INPUT_PX, bodies, body_region, refined_by
from engines.pair_boxes import sigmoid
from engines.region import cut, whole
from engines.wheel_network import ask, wheel_request

DETECTOR_FILE: Final = "modules/pose_detection/pose_detection.tflite"
LANDMARK_FILE: Final = "modules/pose_landmark/pose_landmark_full.tflite"
_LANDMARK_INPUT_PX: Final = 256
_OUTPUTS: Final = (0, 1, 3)
"""Points, presence and heat maps; without the person's outline, which takes a third of the time and 44 MB."""
_POINTS: Final = 39
"""33 of the body, and 6 for MediaPipe's own use."""
_KNOWN: Final = 33
_PRESENT: Final = 0.5
"""Where the landmark network is less sure that there is a body, there is none."""


@dataclass(frozen=True)
class FoundBody:
    """A body as MediaPipe has it; its sides are the person's own in a picture that is not mirrored."""

    points_px: NDArray[np.float64]
    """(33, 2); (0, 0) is the centre of the top left pixel."""
    visible: NDArray[np.float64]
    """(33,) probability that a point is in the picture and not hidden."""


class BodyDetector:
    """The surest body in a picture, each time from nothing."""

    def __init__(self, least: float, cache: Path | None = None) -> None:
        """`least`: score of a body; `cache`: folder of engines, None for the user's.

        Raises UserError where OpenVINO or the networks are not here.
        """
        self._least = least
        self._bodies = wheel_request(DETECTOR_FILE, cache)
        self._points = wheel_request(LANDMARK_FILE, cache, _OUTPUTS)

    def __call__(self, image_bgr: NDArray[np.uint8]) -> FoundBody | None:
        """The surest body of a (H, W, 3) BGR picture."""
        size_px = image_bgr.shape[1], image_bgr.shape[0]
        square = cut(image_bgr, whole(size_px), BODY_INPUT_PX, cv2.BORDER_CONSTANT)
        answers, logits = ask(self._bodies, 2 * square - 1)
        found = bodies(answers[0], logits[0, :, 0], self._least)
        if not found:
            return None
        region = body_region(found[0], size_px)
        crop = cut(image_bgr, region, _LANDMARK_INPUT_PX, cv2.BORDER_REPLICATE)
        points, present, heat = ask(self._points, crop)
        if present[0, 0] < _PRESENT:
            return None
        values = points.reshape(_POINTS, 5)[:_KNOWN].astype(np.float64)  # x, y, z, visible, present
        visible = sigmoid(values[:, 3:])
        refined = refined_by(heat[0, :, :, :_KNOWN], values[:, :2] / _LANDMARK_INPUT_PX)
        return FoundBody(region.in_picture(refined), visible.min(axis=1))

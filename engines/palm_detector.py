"""MediaPipe's palm detector and hand landmarks in a whole picture, run by OpenVINO on a CPU (one thread).

MediaPipe's own runtime gives the same points to a thousandth of the hand's size with 100 MB more of memory; where there
is a display, it also opens OpenGL, which is another 90 MB where that is drawn in software.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.installed import is_installed
from engines.kept_networks import compiled_file
from engines.mediapipe_wheel import wheel_file
from engines.palm_boxes import PALM_INPUT_PX, Region, apart, palms, region_of

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
        self._palms = _compiled(wheel_file(PALM_FILE), cache)
        self._landmarks = _compiled(wheel_file(LANDMARK_FILE), cache)

    def __call__(self, image_bgr: NDArray[np.uint8]) -> list[FoundHand]:
        """The hands of a (H, W, 3) BGR picture; each palm's surest first."""
        height, width = image_bgr.shape[:2]
        whole = Region(width / 2, height / 2, max(width, height), 0.0)
        answers, logits = self._ask(self._palms, _cut(image_bgr, whole, PALM_INPUT_PX, cv2.BORDER_CONSTANT))
        found = palms(answers[0], logits[0, :, 0], self._least)[: self._most_hands]
        regions = apart([region_of(palm, (width, height)) for palm in found])
        hands = [self._hand(image_bgr, region) for region in regions]
        return [hand for hand in hands if hand is not None]

    def _hand(self, image_bgr: NDArray[np.uint8], region: Region) -> FoundHand | None:
        crop = _cut(image_bgr, region, _LANDMARK_INPUT_PX, cv2.BORDER_REPLICATE)
        points, present, left, _ = self._ask(self._landmarks, crop)
        if present[0, 0] < _PRESENT:
            return None
        x, y = region.side * (points.reshape(21, 3)[:, :2].T.astype(np.float64) / _LANDMARK_INPUT_PX - 0.5)
        cos, sin = np.cos(region.turn_rad), np.sin(region.turn_rad)
        in_picture = np.stack([cos * x - sin * y + region.x, sin * x + cos * y + region.y], axis=1)
        return FoundHand(in_picture - 0.5, float(left[0, 0]))

    @staticmethod
    def _ask(request: Any, crop_rgb: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        request.infer([crop_rgb[None]], share_inputs=True)
        return [tensor.data for tensor in request.output_tensors]


def _compiled(file: Path, cache: Path | None) -> Any:
    """A network's request; in fp32, as MediaPipe has it."""
    if not is_installed("openvino"):
        raise UserError("openvino, which runs the detector of hands, is not installed: run make setup")
    try:
        return compiled_file(file, "fp32", cache).create_infer_request()
    except RuntimeError as error:
        raise UserError(f"{file}: damaged, or no network that OpenVINO reads; install mediapipe==0.10.21") from error


def _cut(image_bgr: NDArray[np.uint8], region: Region, size_px: int, border: int) -> NDArray[np.float32]:
    """The region as (S, S, 3) RGB in 0..1, sampled as MediaPipe does."""
    corners = region.corners()
    fourth = corners[0] + corners[2] - corners[1]
    place = np.array([[0, size_px], [0, 0], [size_px, 0], [size_px, size_px]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.concatenate([corners, fourth[None]]), place)
    crop = cv2.warpPerspective(image_bgr, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.multiply(crop[:, :, ::-1], np.float32(1 / 255), dtype=np.float32, order="C")

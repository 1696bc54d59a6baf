"""MediaPipe finds hands in a whole picture; nothing else is taken from it. The only home of mediapipe (one thread).

It runs only while a hand is missing: it finds 2 of 6 really clasped hands, and costs more than the network itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, crop_around, upright_angle_rad
from engines.skeleton import Side
from realtime.messages import HandBox

_OURS_FROM_MEDIAPIPE: Final = np.array([4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17, 0])
"""Row j holds MediaPipe's index of our joint j: its order runs from the wrist out, ours from the tips in."""
_SIDE_FROM_LABEL: Final[dict[str, Side]] = {"Left": "right", "Right": "left"}
"""MediaPipe takes the picture for a mirrored one; ours never is."""
_LONG_SIDE_PX: Final = 640
"""Larger pictures are reduced first: the palm detector sees 192 px anyway."""


class HandDetector:
    """Boxes of up to two hands in a picture, each time from nothing."""

    def __init__(self, min_score: float) -> None:
        with _quiet():
            from mediapipe.python.solutions.hands import Hands

            self._hands = Hands(
                static_image_mode=True, max_num_hands=2, model_complexity=0, min_detection_confidence=min_score
            )
            self._hands.process(np.zeros((48, 64, 3), np.uint8))  # the first call is slow
        self._found_any = False

    def __call__(self, image_bgr: NDArray[np.uint8]) -> list[HandBox]:
        """Hands in a (H, W, 3) BGR picture, the surest first."""
        height, width = image_bgr.shape[:2]
        scale = min(1.0, _LONG_SIDE_PX / max(height, width))
        small = (
            cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image_bgr
        )
        rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        if self._found_any:
            found = self._hands.process(rgb)
        else:
            with _quiet():
                found = self._hands.process(rgb)
        if not found.multi_hand_landmarks:
            return []
        self._found_any = True
        boxes = []
        for landmarks, sides in zip(found.multi_hand_landmarks, found.multi_handedness, strict=True):
            points = np.array([(p.x * width, p.y * height) for p in landmarks.landmark], np.float64) - 0.5
            side = sides.classification[0]
            boxes.append(HandBox(_SIDE_FROM_LABEL[side.label], _crop_of(points), float(side.score)))
        return sorted(boxes, key=lambda box: -box.score)

    def close(self) -> None:
        """Free MediaPipe's graph."""
        self._hands.close()


def _crop_of(points_px: NDArray[np.float64]) -> Crop:
    joints = points_px[_OURS_FROM_MEDIAPIPE]
    return crop_around(joints, upright_angle_rad([joints]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops what MediaPipe's C++ part writes until its first hand: notes that no user can act on; its errors raise."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)

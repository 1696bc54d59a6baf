"""MediaPipe finds hands in a whole picture; nothing else is taken from it (one thread).

It runs only while a hand is missing: it finds 2 of 6 really clasped hands, and costs more than the network itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import crop_around, upright_angle_rad
from engines.skeleton import FINGER_BASES, MIDDLE_BASE, WRIST, Side
from realtime.messages import HandBox

OURS_FROM_MEDIAPIPE: Final = np.array([4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17, 0])
"""Row j holds MediaPipe's index of our joint j: its order runs from the wrist out, ours from the tips in."""
_SIDE_FROM_LABEL: Final[dict[str, Side]] = {"Left": "right", "Right": "left"}
"""MediaPipe takes the picture for a mirrored one; ours never is."""
_LONG_SIDE_PX: Final = 640
"""Larger pictures are reduced first: the palm detector sees 192 px anyway."""
_MOST_HANDS: Final = 4
"""Of two people; the tracker chooses."""
_INDEX_BASE, _LITTLE_BASE = FINGER_BASES[1], FINGER_BASES[4]
_LENGTH_OF_WIDTH: Final = 1.4
"""Wrist to middle knuckle, of index to little knuckle."""


class HandDetector:
    """Boxes of the hands in a picture, each time from nothing."""

    def __init__(self, min_score: float) -> None:
        with _quiet():
            from realtime.tracking.mediapipe_hands import Hands

            _say_it_now(Hands)
            self._hands = Hands(
                static_image_mode=True,
                max_num_hands=_MOST_HANDS,
                model_complexity=0,
                min_detection_confidence=min_score,
            )
            self._hands.process(np.zeros((48, 64, 3), np.uint8))  # the first call is slow

    def __call__(self, image_bgr: NDArray[np.uint8]) -> list[HandBox]:
        """Hands in a (H, W, 3) BGR picture, the surest first."""
        height, width = image_bgr.shape[:2]
        scale = min(1.0, _LONG_SIDE_PX / max(height, width))
        small = (
            cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image_bgr
        )
        found = self._hands.process(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
        if not found.multi_hand_landmarks:
            return []
        boxes = []
        for landmarks, sides in zip(found.multi_hand_landmarks, found.multi_handedness, strict=True):
            points = np.array([(p.x * width, p.y * height) for p in landmarks.landmark], np.float64) - 0.5
            side = sides.classification[0]
            boxes.append(_box_of(points[OURS_FROM_MEDIAPIPE], _SIDE_FROM_LABEL[side.label], float(side.score)))
        return sorted(boxes, key=lambda box: -box.score)

    def close(self) -> None:
        """Free MediaPipe's graph."""
        self._hands.close()


def _box_of(joints_px: NDArray[np.float64], side: Side, score: float) -> HandBox:
    """The box around joints (21, 2) in our order."""
    length = np.linalg.norm(joints_px[MIDDLE_BASE] - joints_px[WRIST])
    width = np.linalg.norm(joints_px[_INDEX_BASE] - joints_px[_LITTLE_BASE])
    palm_px = float(max(length, _LENGTH_OF_WIDTH * width))  # one of them is seen whole, however the palm is turned
    return HandBox(side, crop_around(joints_px, upright_angle_rad([joints_px])), score, palm_px)


def _say_it_now(hands: Any) -> None:
    """Make MediaPipe write its notes: the last comes with the first hand of a process, so show it one of noise."""
    eager = hands(static_image_mode=True, model_complexity=0, min_detection_confidence=0.0, min_tracking_confidence=0.0)
    eager.process(np.zeros((64, 64, 3), np.uint8))
    eager.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops what MediaPipe's C++ part writes while it starts: notes that no user can act on; its errors raise.

    The whole process is without stderr meanwhile, so this is for the start only.
    """
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

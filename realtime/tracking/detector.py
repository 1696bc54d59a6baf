"""MediaPipe's networks find hands in a whole picture; nothing else is taken from it (one thread).

They run only while a hand is missing: they find 2 of 6 really clasped hands, and cost as much as the network itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.body_detector import BodyDetector, FoundBody
from engines.body_points import HAND_POINTS, hand_region
from engines.geometry.crop import crop_around, upright_angle_rad
from engines.heap import give_back
from engines.palm_detector import FoundHand, PalmDetector
from engines.skeleton import FINGER_BASES, MIDDLE_BASE, SIDES, WRIST, Side, other_side
from realtime.messages import HandBox

OURS_FROM_MEDIAPIPE: Final = np.array([4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17, 0])
"""Row j holds MediaPipe's index of our joint j: its order runs from the wrist out, ours from the tips in."""
_LONG_SIDE_PX: Final = 640
"""Larger pictures are reduced first: the palm detector sees 192 px anyway."""
_MOST_HANDS: Final = 4
"""Of two people; the tracker chooses."""
_LEAST_BODY: Final = 0.5
_PATIENCE: Final = 3
"""Looks in vain, one after the other, after which 70 MB of networks are given back; opening them again takes 0.15 s."""
_VISIBLE: Final = 0.5
"""Probability that a wrist can be seen, from which on a hand is looked for there."""
_BODYS_SAY: Final = 0.2
"""Share of the body in which hand it is: the wrong arm is rare, but so is a hand that shows no side."""
_INDEX_BASE, _LITTLE_BASE = FINGER_BASES[1], FINGER_BASES[4]
_LENGTH_OF_WIDTH: Final = 1.4
"""Wrist to middle knuckle, of index to little knuckle."""


class HandDetector:
    """Boxes of the hands in a picture, each time from nothing."""

    def __init__(self, min_score: float, cache: Path | None = None) -> None:
        """`cache` is the folder of engines, None the user's; UserError where the networks cannot be run."""
        self._detector = PalmDetector(min_score, _MOST_HANDS, cache)
        self._cache = cache
        self._bodies: BodyDetector | None = None
        self._in_vain = 0

    def __call__(self, image_bgr: NDArray[np.uint8]) -> list[HandBox]:
        """Hands in a (H, W, 3) BGR picture, the surest first."""
        small, of_small = _reduced(image_bgr)
        return sorted((_box_of(hand, of_small) for hand in self._detector(small)), key=lambda box: -box.score)

    def at_arms(self, image_bgr: NDArray[np.uint8]) -> list[HandBox]:
        """The hands in which the arms of the surest body end, whether their palms show or not.

        The body's networks are let go when they were of no use a few times: most people never need them.
        """
        small, of_small = _reduced(image_bgr)
        self._bodies = self._bodies or BodyDetector(_LEAST_BODY, self._cache)
        body = self._bodies(small)
        found = [] if body is None else [self._at_arm(small, body, side) for side in SIDES]
        boxes = _one_of_each([_box_of(hand, of_small) for hand in found if hand is not None])
        self._in_vain = 0 if boxes else self._in_vain + 1
        if self._in_vain >= _PATIENCE:
            self._bodies = None
            give_back()
        return boxes

    def _at_arm(self, image_bgr: NDArray[np.uint8], body: FoundBody, side: Side) -> FoundHand | None:
        """The landmark network decides whether there is a hand; which one, the body has a say in."""
        if body.visible[HAND_POINTS[side][0]] < _VISIBLE:
            return None
        hand = self._detector.hand_in(image_bgr, hand_region(body.points_px, side))
        if hand is None:
            return None
        left_in_mirror = (1 - _BODYS_SAY) * hand.left_in_mirror + _BODYS_SAY * (side == "right")
        return FoundHand(hand.points_px, left_in_mirror)


def _one_of_each(boxes: list[HandBox]) -> list[HandBox]:
    """A body's hands, the surest first: of two that look like the same side, the less sure one is the other."""
    boxes = sorted(boxes, key=lambda box: -box.score)
    if len({box.side for box in boxes}) == len(boxes):
        return boxes
    return [boxes[0], replace(boxes[1], side=other_side(boxes[0].side))]


def _reduced(image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture at the size that is looked at, and how many times larger it is itself, (2,) along x and y."""
    height, width = image_bgr.shape[:2]
    scale = min(1.0, _LONG_SIDE_PX / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA) if scale < 1 else image_bgr
    return small.astype(np.uint8, copy=False), np.array([width / size[0], height / size[1]])


def _box_of(hand: FoundHand, of_small: NDArray[np.float64]) -> HandBox:
    """The box around a hand that was found in a picture `of_small` (2,) times smaller."""
    joints_px = ((hand.points_px + 0.5) * of_small - 0.5)[OURS_FROM_MEDIAPIPE]
    # MediaPipe takes the picture for a mirrored one; ours never is.
    side: Side = "right" if hand.left_in_mirror >= 0.5 else "left"
    score = max(hand.left_in_mirror, 1 - hand.left_in_mirror)
    length = np.linalg.norm(joints_px[MIDDLE_BASE] - joints_px[WRIST])
    width = np.linalg.norm(joints_px[_INDEX_BASE] - joints_px[_LITTLE_BASE])
    palm_px = float(max(length, _LENGTH_OF_WIDTH * width))  # one of them is seen whole, however the palm is turned
    return HandBox(side, crop_around(joints_px, upright_angle_rad([joints_px])), score, palm_px)

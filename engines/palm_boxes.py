"""From the palm detector's answers to palms, and to where the hand around a palm is (numpy; any thread).

Anchors and the region around a palm as MediaPipe Hands has them (`mediapipe/modules/palm_detection` and
`hand_landmark`, Apache-2.0), so that its networks see what they were trained on.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.pair_boxes import iou
from engines.region import Region, from_square, turn_up
from engines.ssd_boxes import Detection, anchors, detections

PALM_INPUT_PX: Final = 192
KEYPOINTS: Final = 7
"""Of a palm: wrist, bases of index, middle, ring and little finger, two of the thumb."""
WRIST_POINT: Final = 0
MIDDLE_POINT: Final = 2
"""The middle finger's base."""
_GRIDS: Final = ((8, 2), (16, 6))
"""Pixels a cell, anchors a cell."""
_SAME_HAND: Final = 0.5
"""Of two regions that overlap more, the later one stays."""
_AROUND: Final = 2.6
"""Side of a hand's region, of its palm's ..."""
_TOWARDS_FINGERS: Final = 0.5
"""... which lies so far towards the fingers, of its palm's side."""

_ANCHORS: Final = anchors(PALM_INPUT_PX, _GRIDS)


def palms(answers: NDArray[np.float32], logits: NDArray[np.float32], least: float) -> list[Detection]:
    """Palms with a score of at least `least`, the surest first; each has `KEYPOINTS` points.

    `answers` (2016, 18), `logits` (2016,).
    """
    return detections(answers, logits, _ANCHORS, PALM_INPUT_PX, least)


def region_of(palm: Detection, size_px: tuple[int, int]) -> Region:
    """Where the hand of a palm is in the picture of (width, height) that was put into the middle of the square."""
    points = from_square(palm.points, size_px)
    low, high = from_square(palm.box.reshape(2, 2), size_px)
    turn = turn_up(points[WRIST_POINT], points[MIDDLE_POINT])
    shift = _TOWARDS_FINGERS * (high - low)[1]
    centre = (low + high) / 2 + shift * np.array([np.sin(turn), -np.cos(turn)])
    return Region(float(centre[0]), float(centre[1]), _AROUND * float((high - low).max()), turn)


def apart(regions: list[Region]) -> list[Region]:
    """Without those that a later one covers."""
    kept: list[Region] = []
    for region in regions:
        kept = [other for other in kept if iou(_upright(other), _upright(region)) <= _SAME_HAND]
        kept.append(region)
    return kept


def _upright(region: Region) -> NDArray[np.float64]:
    half = region.side / 2
    return np.array([region.x - half, region.y - half, region.x + half, region.y + half])

"""From the body detector's answers to where a body is, and from a body's points to where its hands are (numpy).

Anchors and regions as MediaPipe Pose and Holistic have them (`mediapipe/modules/pose_detection`, `pose_landmark` and
`holistic_landmark`, Apache-2.0).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.pair_boxes import sigmoid
from engines.region import Region, from_square, turn_up
from engines.skeleton import Side
from engines.ssd_boxes import Detection, anchors, detections

BODY_INPUT_PX: Final = 224
_GRIDS: Final = ((8, 2), (16, 2), (32, 6))
"""Pixels a cell, anchors a cell."""
_HIPS: Final = 0
"""Of a detection's points: between the hips, ..."""
_ON_CIRCLE: Final = 1
"""... and one on the circle around the whole body, straight above."""
_AROUND: Final = 1.25
"""Side of a body's region, of that circle's diameter."""
_REACH: Final = 3
"""Cells around a point, ..."""
_HOT: Final = 0.5
"""... of which one must be so sure."""
HAND_POINTS: Final[dict[Side, tuple[int, int, int]]] = {"right": (16, 18, 20), "left": (15, 17, 19)}
"""Of a body's 33 points: wrist, knuckle of the little finger, knuckle of the index finger."""
_OF_LENGTH: Final = 0.79494
_OF_WIDTH: Final = 0.49580
"""A hand's half extent, of wrist to middle knuckle and of index to little knuckle ..."""
_HAND_AROUND: Final = 2.7
"""... and the side of the square around it, of that, ..."""
_ROOM: Final = 1.6
"""... which is so much larger for the landmark network, since a body's points are some pixels off: of 46 hands of
signers that no palm showed it takes 19 for hands at 1.3, 21 at 1.5 and 1.75, 18 at 2."""

_ANCHORS: Final = anchors(BODY_INPUT_PX, _GRIDS)


def bodies(answers: NDArray[np.float32], logits: NDArray[np.float32], least: float) -> list[Detection]:
    """Bodies with a score of at least `least`, the surest first; `answers` (2254, 12), `logits` (2254,)."""
    return detections(answers, logits, _ANCHORS, BODY_INPUT_PX, least)


def body_region(body: Detection, size_px: tuple[int, int]) -> Region:
    """Where a whole body is in the picture of (width, height) that was put into the middle of the square."""
    hips, on_circle = from_square(body.points[[_HIPS, _ON_CIRCLE]], size_px)
    side = _AROUND * 2 * float(np.linalg.norm(on_circle - hips))
    return Region(float(hips[0]), float(hips[1]), side, turn_up(hips, on_circle))


def refined_by(heat: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (K, 2), in shares of the side, moved to the middle of the heat (h, w, K) around each, where it is hot."""
    height, width, _ = heat.shape
    refined = points.copy()
    for k, (x, y) in enumerate((points * [width, height]).astype(int)):
        if not (0 <= x < width and 0 <= y < height):
            continue
        top, left = max(y - _REACH, 0), max(x - _REACH, 0)
        share = sigmoid(heat[top : y + _REACH + 1, left : x + _REACH + 1, k])
        if share.max() >= _HOT:
            rows, columns = np.indices(share.shape)
            middle = np.array([(share * (columns + left)).sum(), (share * (rows + top)).sum()]) / share.sum()
            refined[k] = middle / [width, height]
    return refined


def hand_region(points_px: NDArray[np.float64], side: Side) -> Region:
    """Where a hand of a body with these points (33, 2) is: its middle, size and turn as MediaPipe Holistic has them.

    The middle finger's knuckle lies on a third of the way from the index finger's to the little finger's. A hand
    reaches from there about as far as to the wrist; how it is tilted, its length and width tell together (a fit to
    labelled hands, in `HandDetectionsFromPoseToRectsCalculator`).
    """
    wrist, little, index = points_px[list(HAND_POINTS[side])]
    middle = (2 * index + little) / 3
    size = _OF_LENGTH * np.linalg.norm(middle - wrist) + _OF_WIDTH * np.linalg.norm(index - little)
    return Region(float(middle[0]), float(middle[1]), _ROOM * _HAND_AROUND * float(size), turn_up(wrist, middle))

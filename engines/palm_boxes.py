"""From the palm detector's answers to palms, and to where the hand around a palm is (numpy; any thread).

Anchors, decoding, weighted suppression and the region around a palm as MediaPipe Hands has them
(`mediapipe/modules/palm_detection` and `hand_landmark`, Apache-2.0), so that its networks see what they were trained
on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.pair_boxes import iou

PALM_INPUT_PX: Final = 192
KEYPOINTS: Final = 7
WRIST_POINT: Final = 0
MIDDLE_POINT: Final = 2
"""The middle finger's base."""
_GRIDS: Final = ((8, 2), (16, 6))
"""Pixels a cell, anchors a cell."""
_SAME_PALM: Final = 0.3
"""Answers that overlap more are of one palm; their mean, by score, counts."""
_SAME_HAND: Final = 0.5
"""Of two regions that overlap more, the later one stays."""
_AROUND: Final = 2.6
"""Side of a hand's region, of its palm's ..."""
_TOWARDS_FINGERS: Final = 0.5
"""... which lies so far towards the fingers, of its palm's side."""


@dataclass(frozen=True)
class Palm:
    """A palm in the square picture that the detector saw, in shares of its side."""

    score: float
    box: NDArray[np.float64]
    """(4,) left, top, right, bottom."""
    points: NDArray[np.float64]
    """(7, 2) wrist, bases of index, middle, ring and little finger, two of the thumb."""


@dataclass(frozen=True)
class Region:
    """A turned square of a picture, in which a hand points up; MediaPipe's pixels: (0, 0) is the picture's corner."""

    x: float
    y: float
    side: float
    turn_rad: float
    """Clockwise in the picture."""

    def corners(self) -> NDArray[np.float32]:
        """(3, 2) lower left, upper left, upper right, as the hand stands."""
        half, (cos, sin) = self.side / 2, (np.cos(self.turn_rad), np.sin(self.turn_rad))
        right, down = half * np.array([cos, sin]), half * np.array([-sin, cos])
        centre = np.array([self.x, self.y])
        return np.array([centre - right + down, centre - right - down, centre + right - down], np.float32)


def _anchors() -> NDArray[np.float64]:
    """(2016, 2) centres in shares of the side, row by row."""
    grids = []
    for stride, each in _GRIDS:
        cells = PALM_INPUT_PX // stride
        middles = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(middles, middles)
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), each, axis=0))
    return np.concatenate(grids)


_ANCHORS: Final = _anchors()


def palms(answers: NDArray[np.float32], logits: NDArray[np.float32], least: float) -> list[Palm]:
    """Palms with a score of at least `least`, the surest first.

    `answers` (2016, 18): centre, size and seven points as x, y, in pixels from each anchor; `logits` (2016,).
    """
    score = 1 / (1 + np.exp(-logits.astype(np.float64).clip(-100, 100)))
    kept = np.flatnonzero(score >= least)
    kept = kept[np.argsort(-score[kept], kind="stable")]
    values = answers[kept].astype(np.float64).reshape(-1, 2 + KEYPOINTS, 2) / PALM_INPUT_PX
    anchors = _ANCHORS[kept][:, None]
    centre, half = values[:, 0] + anchors[:, 0], values[:, 1] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return _suppressed(score[kept], boxes, values[:, 2:] + anchors)


def _suppressed(score: NDArray[np.float64], boxes: NDArray[np.float64], points: NDArray[np.float64]) -> list[Palm]:
    """One palm for each group of answers that overlap with its surest: their mean by score."""
    found = []
    left = np.arange(len(score))
    while len(left):
        overlap = np.array([iou(boxes[left[0]], boxes[k]) for k in left])
        same = left[overlap > _SAME_PALM]
        if len(same):
            share = score[same] / score[same].sum()
            found.append(Palm(float(score[left[0]]), share @ boxes[same], np.tensordot(share, points[same], 1)))
        else:  # a box without an extent
            found.append(Palm(float(score[left[0]]), boxes[left[0]], points[left[0]]))
        left = left[(overlap <= _SAME_PALM) & (left != left[0])]
    return found


def region_of(palm: Palm, size_px: tuple[int, int]) -> Region:
    """Where the hand of a palm is in the picture of (width, height) that was put into the middle of the square."""
    long_side = max(size_px)
    edge = (long_side - np.array(size_px)) / 2  # (2,) black beside and above
    points = long_side * palm.points - edge
    low, high = long_side * palm.box[:2] - edge, long_side * palm.box[2:] - edge
    x, y = points[MIDDLE_POINT] - points[WRIST_POINT]
    turn = np.pi / 2 - np.arctan2(-y, x)
    turn -= 2 * np.pi * np.floor((turn + np.pi) / (2 * np.pi))
    shift = _TOWARDS_FINGERS * (high - low)[1]
    centre = (low + high) / 2 + shift * np.array([np.sin(turn), -np.cos(turn)])
    return Region(float(centre[0]), float(centre[1]), _AROUND * float((high - low).max()), float(turn))


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

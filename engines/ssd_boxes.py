"""From a single-shot detector's answers to what it found in a square picture (numpy; any thread).

Anchors, decoding and weighted suppression as MediaPipe's detectors of palms and of bodies have them (Apache-2.0), so
that what follows them sees what it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.pair_boxes import iou, sigmoid

_SAME: Final = 0.3
"""Answers that overlap more are of one thing; their mean, by score, counts."""


@dataclass(frozen=True)
class Detection:
    """Something in the square picture that the detector saw, in shares of its side."""

    score: float
    box: NDArray[np.float64]
    """(4,) left, top, right, bottom."""
    points: NDArray[np.float64]
    """(K, 2)."""


def anchors(input_px: int, grids: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """(N, 2) centres in shares of the side, row by row; `grids`: pixels a cell, anchors a cell."""
    found = []
    for stride, each in grids:
        cells = input_px // stride
        middles = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(middles, middles)
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), each, axis=0))
    return np.concatenate(found)


def detections(
    answers: NDArray[np.float32],
    logits: NDArray[np.float32],
    around: NDArray[np.float64],
    input_px: int,
    least: float,
) -> list[Detection]:
    """All with a score of at least `least`, the surest first.

    `answers` (N, 4 + 2 K): centre, size and points as x, y, in pixels from each anchor of `around` (N, 2); `logits`
    (N,).
    """
    score = sigmoid(logits)
    kept = np.flatnonzero(score >= least)
    kept = kept[np.argsort(-score[kept], kind="stable")]
    values = answers[kept].astype(np.float64).reshape(len(kept), answers.shape[1] // 2, 2) / input_px
    at = around[kept][:, None]
    centre, half = values[:, 0] + at[:, 0], values[:, 1] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return _suppressed(score[kept], boxes, values[:, 2:] + at)


def _suppressed(score: NDArray[np.float64], boxes: NDArray[np.float64], points: NDArray[np.float64]) -> list[Detection]:
    """One for each group of answers that overlap with its surest: their mean by score."""
    found = []
    left = np.arange(len(score))
    while len(left):
        overlap = np.array([iou(boxes[left[0]], boxes[k]) for k in left])
        same = left[overlap > _SAME]
        if len(same):
            share = score[same] / score[same].sum()
            found.append(Detection(float(score[left[0]]), share @ boxes[same], np.tensordot(share, points[same], 1)))
        else:  # a box without an extent
            found.append(Detection(float(score[left[0]]), boxes[left[0]], points[left[0]]))
        left = left[(overlap <= _SAME) & (left != left[0])]
    return found

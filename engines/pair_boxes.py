"""From the pair detector's maps to boxes (numpy; any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.pair_spec import CELL_PX, KINDS, Kind

_MOST: Final = 4
"""Proposals of each kind."""
_UP_KNOWN: Final = 0.5
"""A direction shorter than this is a guess: then up is up in the picture."""
_SAME_IOU: Final = 0.45
"""Of two proposals of a kind that overlap so much, the surer one is kept."""


@dataclass(frozen=True)
class Proposal:
    """Where a hand or a pair of hands may be."""

    kind: Kind
    score: float
    box_px: NDArray[np.float64]
    """(4,) left, top, right, bottom: the joints' extent and a tenth of it on each side."""
    angle_rad: float
    """Turn of the crop in which the hands point up."""


def sigmoid(logits: NDArray) -> NDArray[np.float64]:
    """Probabilities, in double precision, of logits of any shape."""
    return 1 / (1 + np.exp(-logits.astype(np.float64).clip(-100, 100)))


def proposals(maps: Sequence[NDArray], least: float) -> list[Proposal]:
    """The peaks of one picture's maps (`pair_spec.MAPS`, without the batch), the surest first.

    Boxes are in pixels of the square picture that the detector saw.
    """
    heat, offset, log_size, up = maps
    found = []
    for k, kind in enumerate(KINDS):
        score = sigmoid(heat[k])
        rows, columns = np.nonzero(_peaks(score) & (score >= least))
        order = np.argsort(-score[rows, columns])[:_MOST]
        kept: list[Proposal] = []
        for y, x in zip(rows[order], columns[order], strict=True):
            one = _proposal(kind, score[y, x], (x, y), offset[k, :, y, x], log_size[k, :, y, x], up[k, :, y, x])
            if all(iou(one.box_px, other.box_px) < _SAME_IOU for other in kept):
                kept.append(one)
        found += kept
    return sorted(found, key=lambda one: -one.score)


def _proposal(
    kind: Kind, score: float, cell: tuple[int, int], offset: NDArray, log_size: NDArray, up: NDArray
) -> Proposal:
    centre = CELL_PX * (np.array(cell, np.float64) + offset + 0.5) - 0.5
    half = 0.5 * CELL_PX * np.exp(log_size.astype(np.float64).clip(-3, 4))
    known = float(np.hypot(*up)) >= _UP_KNOWN
    angle = float(np.arctan2(up[0], -up[1])) if known else 0.0
    return Proposal(kind, float(score), np.concatenate([centre - half, centre + half]), angle)


def _peaks(score: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(h, w) cells that none of their eight neighbours exceeds."""
    height, width = score.shape
    padded = np.pad(score, 1)
    around = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    highest: NDArray[np.float64] = np.max(around, axis=0)
    return score >= highest


def iou(a: NDArray, b: NDArray) -> float:
    """Intersection over union of two boxes left, top, right, bottom."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = float(np.clip(high - low, 0, None).prod())
    areas = [float(np.clip(box[2:] - box[:2], 0, None).prod()) for box in (a, b)]
    return common / max(sum(areas) - common, 1.0e-6)

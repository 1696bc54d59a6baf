"""All that finds hands in a whole picture: the palm detector and, where it finds too few, one that also sees pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import CONTEXT_FACTOR, Crop
from engines.pair_boxes import Proposal
from engines.pair_detector import PairDetector
from engines.skeleton import SIDES
from realtime.messages import HandBox, Proposed
from realtime.tracking.detector import HandDetector
from realtime.tracking.next_crop import near

PAIR_SCORE: Final = 0.2
"""Of a pair that is worth a look of the network, which decides whether hands are there (docs/training.md) ..."""
HAND_SCORE: Final = 0.2
"""... and of a single hand."""

Found = HandBox | Proposed


class HandFinder:
    """`finder(image_bgr)` -> hands, and places where hands may be, each time from nothing (one thread).

    A palm detector sees one hand or none where two touch, and misses some that are turned or small.
    """

    def __init__(self, min_score: float, most_hands: int = 2, *, pairs: bool = True, cache: Path | None = None) -> None:
        """Others than palms' are opened when they are first needed; `cache`: folder of engines, None for the user's."""
        self._palms = HandDetector(min_score, cache)
        self._cache = cache
        self._most_hands = most_hands
        self._ask_for_pairs = pairs and most_hands > 1
        self._pairs: PairDetector | None = None

    def __call__(self, image_bgr: NDArray[np.uint8], *, bodies: bool = False) -> list[Found]:
        """What is in a (H, W, 3) BGR picture: hands, then what is only proposed, each the surest first.

        `bodies`: where too few palms show, look at the ends of arms, too.
        """
        hands = self._palms(image_bgr)
        if bodies and len(hands) < self._most_hands:
            at_arms = self._palms.at_arms(image_bgr)
            hands += [box for box in at_arms if not any(near(box.crop, other.crop) for other in hands)]
        if len(hands) >= self._most_hands or not self._ask_for_pairs:
            return [*hands]
        if self._pairs is None:
            self._pairs = PairDetector(cache=self._cache)
        found = self._pairs(image_bgr, min(PAIR_SCORE, HAND_SCORE))
        return [*hands, *(as_crop(one) for one in found if one.score >= _least(one))]


def as_crop(one: Proposal) -> Proposed:
    """A proposal as a crop of the picture."""
    low, high = one.box_px[:2], one.box_px[2:]
    x, y = (low + high) / 2
    sides = SIDES if one.kind == "pair" else (one.kind,)
    crop = Crop((float(x), float(y)), CONTEXT_FACTOR * float((high - low).max()), one.angle_rad)
    return Proposed(crop, sides, one.score)


def _least(one: Proposal) -> float:
    return PAIR_SCORE if one.kind == "pair" else HAND_SCORE

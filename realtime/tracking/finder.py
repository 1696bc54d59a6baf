"""All that finds hands in a whole picture: the palm detector and, where it finds too few, the detector of pairs."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import CONTEXT_FACTOR, Crop
from engines.installed import is_installed
from engines.pair_boxes import Proposal
from engines.pair_detector import PairDetector
from realtime.messages import HandBox, PairBox
from realtime.tracking.detector import HandDetector

PAIR_SCORE: Final = 0.2
"""Of a pair that is worth a look of the network, which decides whether hands are there (docs/training.md)."""

Found = HandBox | PairBox


class HandFinder:
    """`finder(image_bgr)` -> hands, and pairs of hands that touch, each time from nothing (one thread).

    A palm detector sees one hand or none where two touch.
    """

    def __init__(self, min_score: float, most_hands: int = 2, *, pairs: bool = True) -> None:
        """The detector of pairs is opened when it is first needed; not at all where OpenVINO is not installed."""
        self._palms = HandDetector(min_score)
        self._most_hands = most_hands
        self._ask_for_pairs = pairs and most_hands > 1 and is_installed("openvino")
        self._pairs: PairDetector | None = None

    def __call__(self, image_bgr: NDArray[np.uint8]) -> list[Found]:
        """What is in a (H, W, 3) BGR picture: hands, then pairs, each the surest first."""
        hands = self._palms(image_bgr)
        if len(hands) >= self._most_hands or not self._ask_for_pairs:
            return [*hands]
        if self._pairs is None:
            self._pairs = PairDetector()
        found = self._pairs(image_bgr, PAIR_SCORE)
        return [*hands, *(pair_box(one) for one in found if one.kind == "pair")]

    def close(self) -> None:
        """Free what MediaPipe holds."""
        self._palms.close()


def pair_box(one: Proposal) -> PairBox:
    """A proposal of a pair as a crop."""
    low, high = one.box_px[:2], one.box_px[2:]
    x, y = (low + high) / 2
    return PairBox(Crop((float(x), float(y)), CONTEXT_FACTOR * float((high - low).max()), one.angle_rad), one.score)

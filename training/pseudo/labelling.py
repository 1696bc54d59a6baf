"""The hands of one picture: found, looked at by both witnesses, labelled where they agree (one thread at a time)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.answers import answers
from engines.contract import Backend
from engines.geometry.crop import Crop, crop_around, extract, transform, upright_angle_rad
from engines.skeleton import HAND_SLICES, JOINTS_PER_HAND, SIDES
from realtime.tracking.detector import HandDetector
from training.banks.real_bank import STORED_EXTENT, STORED_PX
from training.pseudo.agreement import Hand, Limits, agreed
from training.pseudo.landmarks import INPUT_PX, LandmarkLook, LandmarkNetwork

_DETECTOR_SCORE = 0.3
_OTHER_INSIDE = 0.5
"""Share of the other hand's joints that must lie in the stored picture to be labelled there."""


@dataclass(frozen=True)
class Labelled:
    """One picture to train on, around one hand; arrays as a set of `training.banks.real_bank` holds them."""

    picture_bgr: NDArray[np.uint8]
    """(STORED_PX, STORED_PX, 3), upright as in the photograph, black beyond its edge."""
    joints_px: NDArray[np.float32]
    """(42, 2), NaN where a hand is not labelled."""
    joint_depth_mm: NDArray[np.float32]
    """(42,), NaN likewise."""
    right_is_main: bool
    other_hand_known: bool


@dataclass(frozen=True)
class _Placed:
    """A labelled hand in the picture."""

    hand: Hand
    joints_px: NDArray[np.float64]
    """(21, 2) pixels of the picture."""


class Labeller:
    """`labeller(image)` -> what there is to train on in a picture; `rejected` counts why hands were left out."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        """Open MediaPipe's networks. `backend` is ours, looking twice."""
        self._ours = backend
        self._theirs = LandmarkNetwork()
        self._detector = HandDetector(_DETECTOR_SCORE)
        self._limits = limits
        self.rejected: Counter[str] = Counter()

    def __call__(self, image_bgr: NDArray[np.uint8]) -> list[Labelled]:
        """Label a (H, W, 3) uint8 BGR picture, whatever hands it shows."""
        crops = [box.crop for box in self._detector(image_bgr)]
        if not crops:
            self.rejected["picture without a hand"] += 1
            return []
        placed = list(self._placed(image_bgr, crops))
        if len(placed) == len(SIDES) and placed[0].hand.side == placed[1].hand.side:
            self.rejected["two hands of one side"] += len(placed)
            return []
        if len(placed) > len(SIDES):
            self.rejected["more than two hands"] += len(placed)
            return []
        return [_labelled(image_bgr, placed, k, len(crops)) for k in range(len(placed))]

    def _placed(self, image_bgr: NDArray[np.uint8], crops: list[Crop]) -> Iterator[_Placed]:
        for crop in crops:
            found = self._hand(image_bgr, crop)
            if isinstance(found, str):
                self.rejected[found] += 1
            else:
                yield found

    def _hand(self, image_bgr: NDArray[np.uint8], found: Crop) -> _Placed | str:
        """A hand that both witnesses see alike in the crop that MediaPipe's own landmarks draw, or why not."""
        if found.side_px < self._limits.side_px:
            return "too small"
        first = self._theirs(extract(image_bgr, found, INPUT_PX))
        joints = transform(found.image_from_crop(INPUT_PX), _mean(first))
        crop = crop_around(joints, upright_angle_rad([joints], found.angle_rad))
        looks = self._theirs(extract(image_bgr, crop, INPUT_PX))
        ours = answers(self._ours, self._ours.cut(image_bgr, [crop]), [crop], None)[0]
        hand = agreed(looks, ours, self._ours.input_px, self._limits)
        if isinstance(hand, str):
            return hand
        return _Placed(hand, transform(crop.image_from_crop(INPUT_PX), hand.joints_crop_px))


def _mean(looks: tuple[LandmarkLook, LandmarkLook]) -> NDArray[np.float64]:
    return (looks[0].joints_px + looks[1].joints_px) / 2


def _labelled(image_bgr: NDArray[np.uint8], placed: list[_Placed], main: int, found: int) -> Labelled:
    own = placed[main]
    square = crop_around(own.joints_px, factor=STORED_EXTENT)
    joints = np.full((2 * JOINTS_PER_HAND, 2), np.nan, np.float32)
    depth = np.full(2 * JOINTS_PER_HAND, np.nan, np.float32)
    # The other hand is absent for sure where nobody sees one; a hand without a label may be anywhere.
    known = len(placed) == len(SIDES) or (found == 1 and own.hand.alone)
    for one in placed:
        places = transform(square.crop_from_image(STORED_PX), one.joints_px)
        inside = float(((places > -0.5) & (places < STORED_PX - 0.5)).all(axis=-1).mean())
        if one is own or inside >= _OTHER_INSIDE:
            joints[HAND_SLICES[one.hand.side]] = places
            depth[HAND_SLICES[one.hand.side]] = one.hand.joint_depth_mm
        elif inside > 0:
            known = False  # a piece of it
    return Labelled(
        picture_bgr=np.asarray(extract(image_bgr, square, STORED_PX), np.uint8),
        joints_px=joints,
        joint_depth_mm=depth,
        right_is_main=own.hand.side == "right",
        other_hand_known=known,
    )

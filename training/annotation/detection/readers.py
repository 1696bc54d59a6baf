"""Who reads the joints of one hand in a crop: `lite`, MediaPipe's landmark network, both, or an own network.

A reader is given a picture, the crop and which hand is meant, and answers with 21 places and how sure each is. Every
crop is looked at straight and mirrored (`engines.second_look` says why).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend
from engines.geometry.crop import Crop, extract, transform
from engines.output import outputs_of_batch
from engines.skeleton import HAND_SLICES, SIDES, Side
from training.annotation.detection.offsets import without_offset
from training.pseudo.landmarks import INPUT_PX, LandmarkNetwork

LITE_SIGMA = (0.012, 0.08, 1.5)
"""Standard deviation of `lite`'s places: a + b (1 - confidence)^c of the crop's side (docs/calibration.md)."""
MEDIAPIPE_SIGMA = 0.018
"""The same of MediaPipe's, which tells no confidence for each joint: 6.2 px of 256 mean distance on webcam hands."""


@dataclass(frozen=True)
class Reading:
    """One hand in one crop."""

    joints_px: NDArray[np.float64]
    """(21, 2) pixels of the picture."""
    sigma_px: NDArray[np.float64]
    """(21,)."""
    confidence: NDArray[np.float64]
    """(21,) 0..1."""
    probability: float
    """That such a hand is there."""


class Reader(Protocol):
    """One thread at a time."""

    def __call__(
        self, image_bgr: NDArray[np.uint8], crop: Crop, side: Side, axes_px: NDArray[np.float64] | None = None
    ) -> Reading:
        """The hand of that side in that crop.

        Where it is known how the hand lies in space, `axes_px` tells it (`offsets.axes_in_picture`), and what the
        detector means by a joint is put right.
        """
        ...


class LiteReader:
    """`lite`, as it runs live, on a crop that is known."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __call__(
        self, image_bgr: NDArray[np.uint8], crop: Crop, side: Side, axes_px: NDArray[np.float64] | None = None
    ) -> Reading:
        """As `Reader`. A lone hand may stand in the other channel: the surer one is read where only one is sure."""
        output = outputs_of_batch(self._backend(self._backend.cut(image_bgr, [crop])))[0]
        own = SIDES.index(side)
        right, left = (float(p) for p in output.hand_probability)
        channel = side if (right, left)[own] > 0.5 or (right, left)[own] >= (right, left)[1 - own] else SIDES[1 - own]
        rows = HAND_SLICES[channel]
        places = transform(crop.image_from_crop(self._backend.input_px), output.joints_crop_px[rows].astype(np.float64))
        confidence = output.joint_confidence[rows].astype(np.float64)
        places = without_offset(places, "lite", axes_px)
        return Reading(places, lite_sigma_px(confidence, crop.side_px), confidence, max(right, left))


class MediaPipeReader:
    """MediaPipe's landmark network on the same crop."""

    def __init__(self) -> None:
        self._network = LandmarkNetwork()

    def __call__(
        self, image_bgr: NDArray[np.uint8], crop: Crop, side: Side, axes_px: NDArray[np.float64] | None = None
    ) -> Reading:
        """As `Reader`; what the two looks disagree by widens the sigma."""
        looks = self._network(extract(image_bgr, crop, INPUT_PX))
        presence = min(look.presence for look in looks)
        joints = np.stack([look.joints_px for look in looks])
        places = without_offset(transform(crop.image_from_crop(INPUT_PX), joints.mean(axis=0)), "mediapipe", axes_px)
        apart_px = np.linalg.norm(joints[0] - joints[1], axis=-1) * crop.side_px / INPUT_PX
        sigma = np.hypot(MEDIAPIPE_SIGMA * crop.side_px, 0.5 * apart_px)
        confidence = np.clip(1 - apart_px / (0.15 * crop.side_px), 0, 1) * presence
        return Reading(places, sigma + 0.1 * crop.side_px * (1 - presence), confidence, presence)


class BothReader:
    """The mean of two witnesses, each weighted by what it says of itself: better than either (their errors differ)."""

    def __init__(self, first: Reader, second: Reader) -> None:
        self._readers = first, second

    def __call__(
        self, image_bgr: NDArray[np.uint8], crop: Crop, side: Side, axes_px: NDArray[np.float64] | None = None
    ) -> Reading:
        """As `Reader`."""
        a, b = (reader(image_bgr, crop, side, axes_px) for reader in self._readers)
        weights = np.stack([1 / a.sigma_px**2, 1 / b.sigma_px**2])
        share = (weights / weights.sum(axis=0))[..., None]
        places = share[0] * a.joints_px + share[1] * b.joints_px
        apart = np.linalg.norm(a.joints_px - b.joints_px, axis=-1)
        # the witnesses' errors correlate by about a half; what they disagree by counts on top
        sigma = np.hypot(np.sqrt(0.75) * np.minimum(a.sigma_px, b.sigma_px), 0.35 * apart)
        return Reading(places, sigma, (a.confidence + b.confidence) / 2, (a.probability + b.probability) / 2)


def lite_sigma_px(confidence: NDArray, side_px: float) -> NDArray[np.float64]:
    """(...) standard deviation of `lite`'s joints from their confidence."""
    a, b, c = LITE_SIGMA
    return np.asarray(side_px * (a + b * (1 - np.clip(confidence, 0, 1)) ** c), np.float64)

"""One picture of two hands out of two photographs: who lies in front, shadows, one light (numpy, OpenCV)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import crop_around, extract, transform
from engines.skeleton import HAND_SLICES, JOINTS_PER_HAND
from training.banks.real_bank import STORED_EXTENT, STORED_PX
from training.composed.arrangements import Arrangement
from training.composed.cutouts import Cutout, mirrored
from training.composed.meetings import Meeting, meeting_as, meeting_of
from training.pseudo.labelling import Labelled

_DARKEST: Final = 0.5
"""What a shadow takes of the light at most."""
_SHADOW_REACH: Final = 0.08
"""How far shadows reach, in sizes of the hand."""


def composed_pair(
    first: Cutout, second: Cutout, rng: np.random.Generator, arrangement: Arrangement | None = None
) -> Labelled | None:
    """Both hands in the first one's photograph, the second mirrored if need be; None where they do not fit.

    They meet at random, or as the hands of an arrangement do, which are to be posed alike.
    """
    if second.side == first.side:
        second = mirrored(second)
    meeting = meeting_of(first, second, rng) if arrangement is None else meeting_as(arrangement, first, second)
    if meeting is None:
        return None
    picture = _picture(first, _in_the_light_of(first, meeting, rng), rng)
    joints = np.zeros((2 * JOINTS_PER_HAND, 2), np.float32)
    depth = np.zeros(2 * JOINTS_PER_HAND, np.float32)
    joints[HAND_SLICES[first.side]], joints[HAND_SLICES[second.side]] = first.joints_px, meeting.joints_px
    depth[HAND_SLICES[first.side]], depth[HAND_SLICES[second.side]] = first.joint_depth_mm, second.joint_depth_mm
    crop = crop_around(joints, factor=STORED_EXTENT)
    return Labelled(
        picture_bgr=np.asarray(extract(picture[..., ::-1], crop, STORED_PX), np.uint8),
        joints_px=transform(crop.crop_from_image(STORED_PX), joints).astype(np.float32),
        joint_depth_mm=depth,
        right_is_main=first.side == "right",
        other_hand_known=True,
    )


def _in_the_light_of(first: Cutout, meeting: Meeting, rng: np.random.Generator) -> Meeting:
    """The second hand with the first one's colour, by a random part of the way."""
    own, wanted = (
        np.average(picture.reshape(-1, 3), axis=0, weights=alpha.reshape(-1) + 1e-6)
        for picture, alpha in ((meeting.picture_rgb, meeting.alpha), (first.picture_rgb, first.alpha))
    )
    gain = (np.maximum(wanted, 4) / np.maximum(own, 4)) ** rng.uniform(0.5, 1)
    return replace(meeting, picture_rgb=np.clip(meeting.picture_rgb * gain, 0, 255).astype(np.uint8))


def _picture(first: Cutout, meeting: Meeting, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(P, P, 3) RGB of both hands."""
    above = first.alpha * meeting.first_in_front
    shadow, reach = rng.uniform(0, _DARKEST), _SHADOW_REACH * first.size_px
    lower = first.picture_rgb * _light_under(meeting.alpha, shadow, reach, rng)
    upper = meeting.picture_rgb * _light_under(above, shadow, reach, rng)
    shown = (meeting.alpha * (1 - above))[..., None]
    mixed = lower * (1 - shown) + upper * shown
    own = above[..., None]
    return np.clip(mixed * (1 - own) + first.picture_rgb * own + 0.5, 0, 255).astype(np.uint8)


def _light_under(alpha: NDArray, shadow: float, reach: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(P, P, 1) the light that is left around and under what lies above."""
    move = np.array([[1, 0, rng.normal(0, reach)], [0, 1, abs(rng.normal(0, reach))]])
    moved = cv2.warpAffine(alpha, move, alpha.shape[::-1])
    return np.asarray(1 - shadow * cv2.GaussianBlur(moved, (0, 0), max(reach, 0.5)), np.float32)[..., None]

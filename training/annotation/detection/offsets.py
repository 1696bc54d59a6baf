"""What a detector takes for a joint, against what the joints of this program are (numpy; any thread).

MediaPipe's wrist and knuckles lie nearly a centimetre nearer to the palm than the centres of the joints do, in every
picture alike: no number of views averages that away, and two detectors that mean different things have no mean. The
offset is constant in the hand's own frame, though, so it can be measured once on pictures whose joints are exact
(`python -m training.annotation offsets`), and taken off wherever it is known how the hand lies in space.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.skeleton import FINGER_BASES, JOINT_NAMES, JOINTS_PER_HAND, MIDDLE_BASE, WRIST, Side
from training.annotation.cameras.camera import Camera

MEASURED: Final = Path(__file__).with_name("offsets.json")
_INDEX_BASE, _LITTLE_BASE = FINGER_BASES[1], FINGER_BASES[4]
_ROUNDS: Final = 15
_NEAR_PX: Final = 2.0
_FEWEST: Final = 50

Floats = NDArray[np.float64]


def hand_axes_mm(hand_mm: Floats, side: Side) -> Floats:
    """(3, 3) columns of the frame of a hand (21, 3): towards the thumb, to the fingers, out of the palm.

    Each is as long as the palm, wrist to middle knuckle. NaN where the joints that make it are not known.
    """
    fingers = hand_mm[MIDDLE_BASE] - hand_mm[WRIST]
    palm_mm = np.linalg.norm(fingers)
    with np.errstate(invalid="ignore", divide="ignore"):
        up = fingers / palm_mm
        across = hand_mm[_INDEX_BASE] - hand_mm[_LITTLE_BASE]
        thumbwards = across - (across @ up) * up
        thumbwards = thumbwards / np.linalg.norm(thumbwards)
        outwards = np.cross(thumbwards, up) * (1 if side == "right" else -1)
        return np.asarray(palm_mm * np.stack([thumbwards, up, outwards], axis=-1))


def axes_in_picture(camera: Camera, hand_mm: Floats, side: Side) -> Floats:
    """(21, 2, 3) how far each joint of a hand (21, 3) moves in the picture, px, for a palm's length along each axis."""
    return np.asarray(camera.project_with_slopes(hand_mm)[1] @ hand_axes_mm(hand_mm, side))


def without_offset(joints_px: Floats, detector: str, axes_px: Floats | None) -> Floats:
    """A detector's places (21, 2) moved to where it would have put the joints if it meant what we do.

    `axes_px` as `axes_in_picture` gives them; where they are None or NaN, places stay as they are.
    """
    if axes_px is None:
        return joints_px
    return joints_px - np.nan_to_num(np.einsum("jki,ji->jk", axes_px, offsets_of(detector)))


@lru_cache
def offsets_of(detector: str) -> Floats:
    """(21, 3) shares of the palm's length along the axes of the hand; raises UserError if the file is damaged."""
    try:
        measured = json.loads(MEASURED.read_text(encoding="utf-8"))
        table = np.array([measured[detector][name] for name in JOINT_NAMES], np.float64) / 100
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{MEASURED}: cannot be used ({error}); measure it anew with python -m training.annotation offsets"
        ) from error
    table.flags.writeable = False
    return table


def fit_offsets(off_px: Floats, axes_px: Floats) -> Floats:
    """(21, 3) the offsets that explain best where N hands' joints were put; robust.

    `off_px` (N, 21, 2) found less true places, `axes_px` (N, 21, 2, 3) as `axes_in_picture` gives them, both in units
    in which hands are alike large. Joint by joint, least sums of distances (reweighted least squares).
    """
    if len(off_px) < _FEWEST:
        raise UserError(f"{len(off_px)} hands say too little of offsets; {_FEWEST} at least: name more shards")
    found = np.zeros((JOINTS_PER_HAND, 3))
    for joint in range(JOINTS_PER_HAND):
        axes, off = axes_px[:, joint], off_px[:, joint]
        weight = np.ones(len(off))
        for _ in range(_ROUNDS):
            normal = np.einsum("n,nki,nkj->ij", weight, axes, axes)
            found[joint] = np.linalg.solve(normal, np.einsum("n,nki,nk->i", weight, axes, off))
            left = np.linalg.norm(off - axes @ found[joint], axis=-1)
            weight = 1 / np.maximum(left, _NEAR_PX)
    return found

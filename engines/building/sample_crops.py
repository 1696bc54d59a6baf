"""Crops of the sample clip, which ships with its ground truth: what engines are judged and INT8 is calibrated on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.crop import crop_around, extract, upright_angle_rad
from engines.skeleton import HAND_SLICES, SIDES

SAMPLE_CLIP: Final = Path(__file__).parents[2] / "samples" / "two_hands.mp4"
_CROPS: Final = 32


def sample_crops(input_px: int, clip: Path = SAMPLE_CLIP, count: int = _CROPS) -> NDArray[np.uint8]:
    """(count, S, S, 3) crops of both hands together or one of them, from the sample clip and its ground truth."""
    truth_path = clip.with_suffix(".npz")
    if not clip.exists() or not truth_path.exists():
        raise UserError(f"{clip}: the sample clip or its ground truth is missing; fetch the checkout again")
    with np.load(truth_path, allow_pickle=False) as truth:
        joints_px, present = truth["joints_px"], truth["fully_in_view"]
    picks = np.flatnonzero(present.any(axis=1))
    picks = picks[np.linspace(0, len(picks) - 1, count).astype(int)]
    frames = read_frames(clip, {int(index) for index in picks})
    return np.stack([_crop(frames[i], joints_px[i], present[i], input_px, k) for k, i in enumerate(picks)])


def read_frames(clip: Path, wanted: set[int]) -> dict[int, NDArray[np.uint8]]:
    """The frames of a video with these numbers, counted from 0; those that it does not have are left out."""
    capture = cv2.VideoCapture(str(clip))
    frames = {}
    for index in range(max(wanted, default=-1) + 1):
        if not capture.grab():
            break
        if index in wanted:
            frames[index] = capture.retrieve()[1].astype(np.uint8, copy=False)
    capture.release()
    return frames


def _crop(image: NDArray, joints_px: NDArray, present: NDArray, input_px: int, k: int) -> NDArray[np.uint8]:
    """All hands in every second crop, a single one in the others."""
    hands = [joints_px[HAND_SLICES[side]] for side, there in zip(SIDES, present, strict=True) if there]
    used = hands if k % 2 == 0 else hands[k // 2 % len(hands) :][:1]
    crop = crop_around(np.concatenate(used).astype(np.float64), upright_angle_rad(list(used)))
    return extract(image, crop, input_px)

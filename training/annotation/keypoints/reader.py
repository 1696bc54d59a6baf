"""The simple baseline as a detector of `detect` (one thread at a time)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from engines.geometry.crop import Crop, extract, transform
from engines.skeleton import HAND_SLICES, SWAP_HANDS, Side
from training.annotation.detection.readers import Reading
from training.annotation.keypoints.network import load_detector, read_maps

SIGMA: Final = (0.012, 0.06)
"""Standard deviation of the places: a + b (1 - height of the peak) of the crop's side."""


class KeypointReader:
    """Reads the hand that is meant, straight and mirrored, maps averaged."""

    def __init__(self, weights: Path) -> None:
        """Open the weights; raises UserError if they are none of this detector."""
        self._network, self._crop_px = load_detector(weights)
        self._swap = torch.from_numpy(SWAP_HANDS)

    @torch.inference_mode()
    def __call__(
        self, image_bgr: NDArray[np.uint8], crop: Crop, side: Side, axes_px: NDArray[np.float64] | None = None
    ) -> Reading:
        """As `readers.Reader`; it means by a joint what its labels did, so that nothing is to be put right."""
        picture = extract(image_bgr, crop, self._crop_px)
        rgb = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).permute(2, 0, 1).float() / 255
        maps = self._network(torch.stack([rgb, rgb.flip(-1)]))
        mean = (maps[0] + maps[1][self._swap].flip(-1)) / 2
        places, peaks = read_maps(mean[None, HAND_SLICES[side]])
        confidence = peaks[0].clamp(0, 1).numpy().astype(np.float64)
        joints = transform(crop.image_from_crop(self._crop_px), places[0].numpy().astype(np.float64))
        sigma = crop.side_px * (SIGMA[0] + SIGMA[1] * (1 - confidence))
        return Reading(joints, sigma, confidence, float(confidence.mean()))

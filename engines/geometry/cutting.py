"""Cutting the crops of a picture with OpenCV, for networks that run on the CPU (one thread at a time)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, extract


class CpuCutter:
    """Crops in buffers that are kept: what one call gave is overwritten by the next."""

    def __init__(self, input_px: int, most: int) -> None:
        self._crops = np.zeros((most, input_px, input_px, 3), np.uint8)

    def __call__(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR and up to `most` crops of it -> (B, S, S, 3); raises ValueError for more."""
        if len(crops) > len(self._crops):
            raise ValueError(f"{len(crops)} crops, buffers for {len(self._crops)}")
        size_px = self._crops.shape[1]
        for crop, out in zip(crops, self._crops, strict=False):
            extract(image_bgr, crop, size_px, out)
        return self._crops[: len(crops)]

"""Torch without any of our arrangements, on a GPU: what the other engines' speed is a multiple of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.backends.tf32 import tf32
from engines.building.graph import deployed_module
from engines.geometry.crop import Crop
from engines.geometry.cutting import CpuCutter
from engines.presets import spec_of
from engines.spec import OUTPUT_NAMES


class EagerTorch:
    """One kernel after the other, features in torch's own order of channels, no CUDA graph; a `Backend`.

    In fp32, fp16, or `tf32`: fp32 as torch users have it, its factors rounded to 11 bits.
    """

    name = "torch, eager"
    folder: Path | None = None

    def __init__(self, preset: str, weights: Path, precision: str) -> None:
        self.precision = precision
        spec = spec_of(preset)
        self.input_px, self.depth_along_ray = spec.input_px, spec.depth_along_ray
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._graph = deployed_module(preset, weights, "fp16" if precision == "fp16" else "fp32").to(self._device)
        self.witness = self._graph.witness
        self._cutter = CpuCutter(self.input_px, 2)

    @torch.inference_mode()
    def __call__(self, crops_bgr: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`."""
        with tf32(self.precision == "tf32"):
            outputs = self._graph(torch.from_numpy(crops_bgr).to(self._device))
        return {name: value.cpu().numpy() for name, value in zip(OUTPUT_NAMES, outputs, strict=True)}

    def cut(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> NDArray[np.uint8]:
        """As `Backend.cut`, with OpenCV."""
        return self._cutter(image_bgr, crops)

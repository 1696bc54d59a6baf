"""Cutting the crops of a picture where the network runs (torch): the picture goes up once, and no crop comes back.

The same crops as `engines.geometry.crop.extract`, up to rounding: bilinear, black outside, and averaged first where a
crop is much larger than the network's input. One thread at a time, in the CUDA stream that is current.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engines.geometry.crop import Basis, Crop, basis_of


class DeviceCutter:
    """Crops of `input_px` squared; buffers for the picture are kept as long as its size stays the same."""

    def __init__(self, device: torch.device, input_px: int, most: int) -> None:
        self._device = device
        self._input_px = input_px
        self._matrices = self._staging((most, 2, 3), torch.float32)
        self._pixels = torch.arange(input_px, dtype=torch.float32, device=device)
        self._picture = self._staging((0, 0, 3), torch.uint8)
        self._sent = torch.cuda.Event() if device.type == "cuda" else None

    @torch.inference_mode()
    def __call__(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> Tensor:
        """(H, W, 3) uint8 BGR and up to `most` crops of it -> (B, S, S, 3) uint8 on the device."""
        if not crops:
            return torch.zeros((0, self._input_px, self._input_px, 3), dtype=torch.uint8, device=self._device)
        height, width = image_bgr.shape[:2]
        bases = [basis_of(crop, self._input_px, width, height) for crop in crops]
        picture, matrices = self._sent_up(image_bgr, bases)
        whole = picture.permute(2, 0, 1).unsqueeze(0).float()
        places = self._places(matrices)
        cut = [_sampled(whole, basis, places[k : k + 1]) for k, basis in enumerate(bases)]
        return torch.cat(cut).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def _sent_up(self, image_bgr: NDArray[np.uint8], bases: Sequence[Basis]) -> tuple[Tensor, Tensor]:
        """The picture, and per crop (2, 3) from its pixels to -1..1 of its basis; on the device."""
        if self._sent is not None:
            self._sent.synchronize()  # what is on its way from these buffers must not change
        if self._picture.shape != image_bgr.shape:
            self._picture = self._staging(image_bgr.shape, torch.uint8)
        np.copyto(self._picture.numpy(), image_bgr)
        matrices = self._matrices[: len(bases)]
        matrices.numpy()[:] = [_unit_from_crop(basis, self._input_px) for basis in bases]
        sent = [buffer.to(self._device, non_blocking=True) for buffer in (self._picture, matrices)]
        if self._sent is not None:
            self._sent.record()
        return sent[0], sent[1]

    def _places(self, matrices: Tensor) -> Tensor:
        """(B, S, S, 2) where in -1..1 of its basis each pixel of the crops is.

        Not affine_grid: that is a product of matrices, which TF32 would round by pixels.
        """
        along_x, along_y, start = (matrices[:, None, None, :, k] for k in range(3))
        rows = torch.addcmul(start, along_y, self._pixels[None, :, None, None])
        return torch.addcmul(rows, along_x, self._pixels[None, None, :, None])

    def _staging(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A buffer that the device can read by itself."""
        return torch.zeros(shape, dtype=dtype, pin_memory=self._device.type == "cuda")


def _unit_from_crop(basis: Basis, input_px: int) -> NDArray[np.float64]:
    """(2, 3): pixels of the crop -> x, y of the basis from edge to edge as -1..1, which is how grid_sample counts."""
    sizes = np.array([basis.width, basis.height], dtype=np.float64)
    matrix = 2.0 * basis.crop.image_from_crop(input_px)[:2] / sizes[:, None]
    matrix[:, 2] += 1.0 / sizes - 1.0  # the centre of pixel 0 lies half a pixel from the edge
    return matrix


def _sampled(whole: Tensor, basis: Basis, places: Tensor) -> Tensor:
    """The picture (1, 3, H, W) read at (1, S, S, 2) of the basis -> (1, 3, S, S)."""
    if basis.factor > 1:
        part = whole[:, :, basis.rows, basis.columns]
        square = (min(basis.factor, part.shape[2]), min(basis.factor, part.shape[3]))
        whole = F.avg_pool2d(part, square, basis.factor)
    return F.grid_sample(whole, places, mode="bilinear", padding_mode="zeros", align_corners=False)

"""JPEG's block artefacts on batches of tensors: 8x8 cosine transform, quantisation, and back (no entropy coding)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_BLOCK = 8
_LUMINANCE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
"""Annex K of ITU-T T.81."""
_CHROMINANCE = torch.full((_BLOCK, _BLOCK), 99.0)
_CHROMINANCE[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
_YCC_FROM_RGB = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def _cosines() -> Tensor:
    """(8, 8) orthonormal DCT-II matrix."""
    k, n = torch.arange(_BLOCK)[:, None].float(), torch.arange(_BLOCK)[None].float()
    matrix = torch.cos(math.pi * (2 * n + 1) * k / (2 * _BLOCK)) * math.sqrt(2 / _BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix


def jpeg_artefacts(images: Tensor, quality: Tensor) -> Tensor:
    """(B, 3, S, S) RGB in 0..1 as a JPEG of `quality` (B,) in 1..100 would show it; S a multiple of 8."""
    device = images.device
    cosines, mix = _cosines().to(device), _YCC_FROM_RGB.to(device)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    tables = torch.stack([_LUMINANCE, _CHROMINANCE, _CHROMINANCE]).to(device)
    steps = (tables * factor.view(-1, 1, 1, 1)).round().clamp(1, 255)[:, :, None, None]  # (B, 3, 1, 1, 8, 8)
    shift = torch.tensor([128.0, 0.0, 0.0], device=device).view(1, 3, 1, 1)
    ycc = torch.einsum("dc,bchw->bdhw", mix, images) * 255 - shift
    blocks = ycc.unflatten(3, (-1, _BLOCK)).unflatten(2, (-1, _BLOCK)).transpose(3, 4)  # (B, 3, rows, columns, 8, 8)
    spectrum = cosines @ blocks @ cosines.T
    rounded = torch.round(spectrum / steps) * steps
    back = (cosines.T @ rounded @ cosines).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return torch.einsum("dc,bchw->bdhw", torch.linalg.inv(mix), back + shift) / 255

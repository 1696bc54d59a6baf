"""Fine structure taken over from camera pictures: as strong as theirs, what is shown unchanged."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.lite.spectrum import with_spectrum_of


def pictures(seed: int) -> Tensor:
    """Blobs of many sizes, as sharp as pixels allow."""
    rng = torch.Generator().manual_seed(seed)
    layers = [
        F.interpolate(torch.rand(4, 3, cells, cells, generator=rng), 96, mode="nearest") for cells in (6, 12, 24, 48)
    ]
    return torch.stack(layers).mean(0)


def fine(images: Tensor) -> Tensor:
    """(B,) how strong differences of neighbouring pixels are."""
    return images.diff(dim=-1).abs().mean((1, 2, 3))


def test_fine_structure_comes_from_the_other_picture() -> None:
    sharp, blurred = pictures(0), F.avg_pool2d(pictures(1), 5, 1, 2)
    softened = with_spectrum_of(sharp, blurred, torch.ones(4))
    sharpened = with_spectrum_of(blurred, sharp, torch.ones(4))
    assert (fine(softened) < 0.9 * fine(sharp)).all()
    assert (fine(sharpened) > 1.1 * fine(blurred)).all()
    half = with_spectrum_of(sharp, blurred, torch.full((4,), 0.5))
    assert (fine(half) < fine(sharp)).all() and (fine(half) > fine(softened)).all()


def test_what_a_picture_shows_stays() -> None:
    images = pictures(0)
    torch.testing.assert_close(with_spectrum_of(images, pictures(1), torch.zeros(4)), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(with_spectrum_of(images, images.clone(), torch.ones(4)), images, atol=1e-5, rtol=0)
    moved = with_spectrum_of(images, F.avg_pool2d(pictures(1), 5, 1, 2), torch.ones(4))
    coarse = [F.avg_pool2d(part, 16) for part in (images, moved)]
    torch.testing.assert_close(coarse[1], coarse[0], atol=0.03, rtol=0)

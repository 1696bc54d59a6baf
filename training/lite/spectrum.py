"""Rendered crops with the fine structure of camera pictures: amplitudes of frequencies taken over, phases kept.

Renders and cameras differ most in high frequencies (lens, demosaicing, denoising, compression), and a network reads
them. The mean amplitude at each frequency, over all directions, is moved towards that of a real crop (after Yang and
Soatto, "FDA: Fourier domain adaptation", CVPR 2020, which exchanges the low frequencies; what a picture shows stays as
it is here).
"""

from __future__ import annotations

import torch
from torch import Tensor

COARSEST, FINE = 10.0, 24.0
"""Cycles over the crop below which nothing changes, for that is light and shape, and from which all does."""
_MOST = 0.9
"""The largest change of an amplitude's logarithm: by 2.5."""
_GREY = (0.299, 0.587, 0.114)


def with_spectrum_of(images: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """RGB (B, 3, S, S) in 0..1 with a share (B,) of the way to the mean amplitudes of `others`, of the same shape."""
    size = images.shape[-1]
    wanted, have = (_profile(_middle(picture)) for picture in (others, images))
    change = wanted - have
    # the profiles are of half the side: their frequencies are half as fine; of a flat picture against a rich one only
    # how amplitudes fall is taken over, not how strong they are
    change = change - change[:, int(COARSEST / 2) : int(FINE / 2)].mean(1, keepdim=True)
    change = change.clamp(-_MOST, _MOST) * share[:, None]
    radius = _radius(size, images.device)
    place = (radius / 2).clamp(max=change.shape[1] - 1.001)
    low = place.floor().long()
    between = torch.lerp(change[:, low], change[:, low + 1], (place - low).expand(len(images), -1, -1))
    gain = (between * ((radius - COARSEST) / (FINE - COARSEST)).clamp(0, 1)).exp()
    spectrum = torch.fft.rfft2(images) * gain[:, None]
    return torch.fft.irfft2(spectrum, s=(size, size)).clamp_(0, 1)


def _middle(images: Tensor) -> Tensor:
    """(B, S/2, S/2) grey, fading to its mean at the edge, which would have a spectrum of its own."""
    quarter = images.shape[-1] // 4
    grey = (images * images.new_tensor(_GREY)[:, None, None]).sum(1)[:, quarter : 3 * quarter, quarter : 3 * quarter]
    fade = torch.hann_window(2 * quarter, device=images.device)
    return (grey - grey.mean((1, 2), keepdim=True)) * fade[:, None] * fade


def _profile(grey: Tensor) -> Tensor:
    """(B, R) logarithm of the mean amplitude at each number of cycles, over all directions."""
    amplitude = torch.fft.rfft2(grey).abs()
    ring = _radius(grey.shape[-1], grey.device).round().long()
    count = int(ring.max()) + 1
    index = ring.flatten().expand(len(grey), -1)
    total = grey.new_zeros(len(grey), count).scatter_add_(1, index, amplitude.flatten(1))
    return (total / torch.bincount(ring.flatten(), minlength=count) + 1.0e-3).log()


def _radius(size: int, device: torch.device) -> Tensor:
    """(S, S/2 + 1) cycles over the picture of each place of its half spectrum."""
    y = torch.fft.fftfreq(size, device=device) * size
    x = torch.fft.rfftfreq(size, device=device) * size
    return (y[:, None].square() + x.square()).sqrt()

"""What lies between a cut-out hand and a webcam picture: background, light, occluders, blur, noise, compression.

All of it works on whole batches as tensors, on the CPU or a GPU alike. Pictures are RGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from training.lite.jpeg import jpeg_artefacts

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class Augmentation:
    """How strongly crops are degraded; shares are of the crops of a batch, the defaults those of rendered hands."""

    light: NotNegative = 0.25
    """Standard deviation of the logarithm of the light on a cut-out hand, against its background's."""
    tint: NotNegative = 0.08
    """The same for each colour of it."""
    occluded: Share = 0.15
    """Share with a box of a photograph or colour over a part."""
    gain: NotNegative = 0.15
    """Standard deviation of the logarithm of the camera's gain."""
    white_balance: Share = 0.15
    """Largest change of one colour."""
    contrast: Share = 0.25
    """Largest change of the contrast."""
    offset: NotNegative = 0.03
    """Standard deviation of the black level, of the whole range."""
    grey: Share = 0.12
    """Share without colours."""
    blurred: Share = 0.45
    """Share out of focus or in motion."""
    blur_px: Positive = 1.2
    """Largest deviation of the blur in pixels of the crop; twice that along a motion."""
    sharpened: Share = 0.15
    """Share with edges drawn over, as webcams do."""
    sharpening: NotNegative = 1.5
    """How much of what a small blur takes away is added once more, at most."""
    rescaled: Share = 0.25
    """Share that is seen with fewer pixels, as far hands are."""
    smallest: Annotated[float, Field(ge=0.05, le=0.9)] = 0.35
    """The fewest, as a part of the crop's side."""
    bordered: Share = 0.3
    """Share whose edge is black, as at the edge of a picture."""
    noisy: Share = 0.5
    """Share with camera noise."""
    noise: NotNegative = 0.035
    """Largest deviation of the noise, of the whole range."""
    jpeg: Share = 0.35
    """Share with JPEG's artefacts."""
    spectrum: Share = 0.0
    """Share of rendered crops that get the fine structure of real ones, if there are any (`training.lite.spectrum`)."""


@dataclass(frozen=True)
class RealAugmentation(Augmentation):
    """Milder: cameras have degraded these pictures already."""

    occluded: Share = 0.1
    gain: NotNegative = 0.12
    white_balance: Share = 0.1
    contrast: Share = 0.2
    offset: NotNegative = 0.02
    grey: Share = 0.08
    blurred: Share = 0.25
    blur_px: Positive = 1.0
    sharpened: Share = 0.1
    sharpening: NotNegative = 1.0
    rescaled: Share = 0.15
    smallest: Annotated[float, Field(ge=0.05, le=0.9)] = 0.5
    bordered: Share = 0.15
    noisy: Share = 0.3
    noise: NotNegative = 0.025
    jpeg: Share = 0.2


class Augmenter:
    """Composes and degrades crops; every call draws afresh from `rng`."""

    def __init__(self, backgrounds: Tensor, rng: torch.Generator, strength: Augmentation | None = None) -> None:
        self.backgrounds = backgrounds
        self.rng = rng
        self.device = backgrounds.device
        self.strength = strength or Augmentation()

    def __call__(self, hands: Tensor) -> Tensor:
        """(B, 4, S, S) premultiplied RGBA in 0..1 -> (B, 3, S, S) RGB in 0..1 in front of something, degraded."""
        count, size, strength = len(hands), hands.shape[-1], self.strength
        alpha = hands[:, 3:]
        gain = self._lognormal((count, 1, 1, 1), strength.light) * self._lognormal((count, 3, 1, 1), strength.tint)
        lit = torch.minimum(hands[:, :3] * gain, alpha)
        return self.degrade(torch.addcmul(lit, 1 - alpha, self._background(count, size)))

    def degrade(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) RGB in 0..1 -> the same as a worse camera shows it; works in place."""
        image = self._occlude(image)
        image = self._colours(image)
        image = self._blur(image)
        image = self._rescale(image)
        image = self._sharpen(image)
        image = self._borders(image)
        image = self._noise(image)
        chosen = self._chosen(len(image), self.strength.jpeg)
        if len(chosen):
            quality = self._uniform((len(chosen),), 35, 95)
            image[chosen] = jpeg_artefacts(image[chosen], quality)
        return image.clamp_(0, 1)

    def _uniform(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        return torch.rand(shape, generator=self.rng, device=self.device) * (high - low) + low

    def _normal(self, shape: tuple[int, ...], deviation: float) -> Tensor:
        return torch.randn(shape, generator=self.rng, device=self.device) * deviation

    def _lognormal(self, shape: tuple[int, ...], deviation: float) -> Tensor:
        return self._normal(shape, deviation).exp()

    def _chosen(self, count: int, share: float) -> Tensor:
        """Indices of a random share of the batch."""
        return (self._uniform((count,), 0, 1) < share).nonzero()[:, 0]

    def _index(self, count: int, stop: int) -> Tensor:
        return torch.randint(stop, (count,), generator=self.rng, device=self.device)

    def _background(self, count: int, size: int) -> Tensor:
        """Views of photographs; some replaced by plain colours or soft blobs, some with skin-coloured patches."""
        photos = self.backgrounds[self._index(count, len(self.backgrounds))]
        zoom, turn = self._uniform((count,), 0.3, 1.0), self._normal((count,), 0.4)
        mirror = torch.where(self._uniform((count,), 0, 1) < 0.5, -1.0, 1.0)
        rows = torch.stack(
            [zoom * turn.cos() * mirror, -zoom * turn.sin(), zoom * turn.sin() * mirror, zoom * turn.cos()], -1
        )
        shift = self._uniform((count, 2, 1), -1, 1) * (1 - zoom[:, None, None])
        theta = torch.cat([rows.view(count, 2, 2), shift], -1)
        grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
        view = F.grid_sample(photos.float() / 255, grid, padding_mode="reflection", align_corners=False)
        view = view * self._uniform((count, 1, 1, 1), 0.4, 1.25)
        plain = self._chosen(count, 0.15)
        if len(plain):
            view[plain] = self._uniform((len(plain), 3, 1, 1), 0, 1).expand(-1, -1, size, size)
        soft = self._chosen(count, 0.1)
        if len(soft):
            view[soft] = self._blobs(len(soft), 3, size)
        skin = self._chosen(count, 0.3)
        if len(skin):
            mask = ((self._blobs(len(skin), 1, size) - 0.55) * 12).clamp(0, 1)
            view[skin] = torch.lerp(view[skin], self._skin_tone(len(skin)).expand(-1, -1, size, size), mask)
        return view.clamp_(0, 1)

    def _blobs(self, count: int, channels: int, size: int) -> Tensor:
        cells = int(self._index(1, 7)[0]) + 3
        return F.interpolate(self._uniform((count, channels, cells, cells), 0, 1), (size, size), mode="bicubic").clamp_(
            0, 1
        )

    def _skin_tone(self, count: int) -> Tensor:
        """(B, 3, 1, 1) colours between dark and light skin in a random light."""
        dark, light = torch.tensor([0.27, 0.17, 0.13]), torch.tensor([0.93, 0.76, 0.68])
        tone = torch.lerp(dark.to(self.device), light.to(self.device), self._uniform((count, 1), 0, 1))
        return (tone * self._lognormal((count, 1), 0.25) * self._lognormal((count, 3), 0.08))[..., None, None]

    def _occlude(self, image: Tensor) -> Tensor:
        """A turned box of plain colour or of a photograph covers a part of some crops."""
        chosen = self._chosen(len(image), self.strength.occluded)
        if not len(chosen):
            return image
        count, size = len(chosen), image.shape[-1]
        axis = torch.linspace(-1, 1, size, device=self.device)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        turn = self._uniform((count, 1, 1), 0, torch.pi)
        dx = x - self._uniform((count, 1, 1), -0.8, 0.8)
        dy = y - self._uniform((count, 1, 1), -0.8, 0.8)
        along = (dx * turn.cos() + dy * turn.sin()).abs() / self._uniform((count, 1, 1), 0.06, 0.3)
        across = (dy * turn.cos() - dx * turn.sin()).abs() / self._uniform((count, 1, 1), 0.06, 0.5)
        mask = ((1 - torch.maximum(along, across)) * 20).clamp(0, 1)[:, None]
        image[chosen] = torch.lerp(image[chosen], self._background(count, size), mask)
        return image

    def _colours(self, image: Tensor) -> Tensor:
        """Camera gain, white balance, contrast, black level; some pictures are grey."""
        count, strength = len(image), self.strength
        balance = self._uniform((count, 3, 1, 1), 1 - strength.white_balance, 1 + strength.white_balance)
        image = image * self._lognormal((count, 1, 1, 1), strength.gain) * balance
        contrast = self._uniform((count, 1, 1, 1), 1 - strength.contrast, 1 + strength.contrast)
        offset = self._normal((count, 1, 1, 1), strength.offset)
        image = ((image - 0.5) * contrast + 0.5 + offset).clamp_(0, 1)
        grey = self._chosen(count, strength.grey)
        if len(grey):
            image[grey] = image[grey].mean(1, keepdim=True)
        return image

    def _blur(self, image: Tensor) -> Tensor:
        """Defocus (Gaussian) or camera and hand motion (a line) on a part of the batch."""
        chosen = self._chosen(len(image), self.strength.blurred)
        if not len(chosen):
            return image
        count, size, radius = len(chosen), image.shape[-1], 3
        axis = torch.arange(-radius, radius + 1, device=self.device, dtype=torch.float32)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        turn = self._uniform((count, 1, 1), 0, torch.pi)
        along, across = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
        long = self._uniform((count, 1, 1), 0.25, 1) * self.strength.blur_px
        streak = self._uniform((count, 1, 1), 0, 1) < 0.4
        short = torch.where(streak, torch.full_like(long, 0.3), long)
        long = torch.where(streak, long * 2, long)
        kernel = torch.exp(-((along / long) ** 2 + (across / short) ** 2) / 2)
        kernel = (kernel / kernel.sum((1, 2), keepdim=True)).repeat_interleave(3, 0)[:, None]
        flat = image[chosen].reshape(1, count * 3, size, size)
        blurred = F.conv2d(F.pad(flat, (radius,) * 4, mode="reflect"), kernel, groups=count * 3)
        image[chosen] = blurred.view(count, 3, size, size)
        return image

    def _rescale(self, image: Tensor) -> Tensor:
        """A far hand or a poor camera: fewer pixels than the crop has."""
        chosen = self._chosen(len(image), self.strength.rescaled)
        if not len(chosen):
            return image
        size = image.shape[-1]
        small = max(8, int(size * float(self._uniform((1,), self.strength.smallest, 0.9))))
        low = F.interpolate(image[chosen], (small, small), mode="bilinear", antialias=True)
        image[chosen] = F.interpolate(low, (size, size), mode="bilinear", align_corners=False)
        return image

    def _sharpen(self, image: Tensor) -> Tensor:
        """Unsharp masking, as a webcam's own processing: halos along edges."""
        chosen = self._chosen(len(image), self.strength.sharpened)
        if not len(chosen):
            return image
        sharp = image[chosen]
        soft = F.avg_pool2d(F.pad(sharp, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        amount = self._uniform((len(chosen), 1, 1, 1), 0, 1) * self.strength.sharpening
        image[chosen] = (sharp + amount * (sharp - soft)).clamp_(0, 1)
        return image

    def _borders(self, image: Tensor) -> Tensor:
        """Black where the crop reaches beyond the picture, along one or two turned edges."""
        chosen = self._chosen(len(image), self.strength.bordered)
        if not len(chosen):
            return image
        count, size = len(chosen), image.shape[-1]
        axis = torch.linspace(-1, 1, size, device=self.device)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        turn = self._normal((count, 1, 1), 0.35)
        u, v = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
        limit_u, limit_v = self._uniform((count, 1, 1), 0.55, 1.4), self._uniform((count, 1, 1), 0.55, 1.4)
        sign_u = torch.where(self._uniform((count, 1, 1), 0, 1) < 0.5, -1.0, 1.0)
        sign_v = torch.where(self._uniform((count, 1, 1), 0, 1) < 0.5, -1.0, 1.0)
        inside = (u * sign_u < limit_u) & (v * sign_v < limit_v)
        image[chosen] = image[chosen] * inside[:, None]
        return image

    def _noise(self, image: Tensor) -> Tensor:
        chosen = self._chosen(len(image), self.strength.noisy)
        if len(chosen):
            deviation = self._uniform((len(chosen), 1, 1, 1), 0, self.strength.noise)
            noise = torch.randn(image[chosen].shape, generator=self.rng, device=self.device)
            image[chosen] = image[chosen] + noise * deviation
        return image

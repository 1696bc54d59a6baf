"""Where a random crop lies, how it is mirrored, and its pixels (torch, batched, on any device)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.geometry.crop import BOX_FACTOR
from engines.skeleton import MIDDLE_BASE, SWAP_HANDS, WRIST


@dataclass(frozen=True)
class CropNoise:
    """How far a training crop strays from the true one, as a tracker's own boxes do."""

    shift: float = 0.15
    """Largest shift, in sides of the crop."""
    log_scale: float = 0.15
    """Standard deviation of the logarithm of the scale."""
    roll_deg: float = 22.0
    """Standard deviation of the turn against upright; cut at three deviations."""
    any_turn: float = 0.0
    """Share of crops turned in any direction, as at a first look at a hand that is not upright."""
    flip: float = 0.5
    """Share of mirrored samples; both hands change their names."""
    focus: float = 0.2
    """Share of pairs in which the crop is laid around one hand only."""
    empty: float = 0.04
    """Share of crops without hands, as when a tracker has lost them: rendered hands are taken away, in real pictures
    the crop is laid beside them where there is room.
    """


_TRIES = 12
_BESIDE = (0.2, 0.5)
"""Sides of crops beside the hands, in sides of the picture."""
_MARGIN = 0.12
"""How far flesh reaches beyond the joints, in sizes of the hand."""

NO_NOISE = CropNoise(shift=0.0, log_scale=0.0, roll_deg=0.0, flip=0.0, focus=0.0, empty=0.0)


def uniform(count: int, rng: torch.Generator, device: torch.device) -> Tensor:
    """(count,) random numbers from 0 to 1."""
    return torch.rand(count, generator=rng, device=device)


def mirrored_samples(
    projected: Tensor, joints: Tensor, present: Tensor, flip: Tensor, picture_px: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror the chosen samples: x runs backwards and right becomes left."""
    swap = torch.as_tensor(SWAP_HANDS, device=joints.device)
    mirrored = projected[:, swap] * projected.new_tensor([-1.0, 1.0]) + projected.new_tensor([picture_px - 1.0, 0.0])
    pick = flip[:, None, None]
    return (
        torch.where(pick, mirrored, projected),
        torch.where(pick, joints[:, swap], joints),  # only depths and lengths are used from here on
        torch.where(flip[:, None], present.flip(1), present),
    )


def mirrored_intrinsics(focal: Tensor, flip: Tensor, picture_px: int) -> Tensor:
    """(B, 4) of the mirrored pictures: the principal point moves to the other side."""
    other = torch.stack([focal[:, 0], focal[:, 1], picture_px - 1.0 - focal[:, 2], focal[:, 3]], -1)
    return torch.where(flip[:, None], other, focal)


def random_places(
    projected: Tensor, present: Tensor, noise: CropNoise, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Centre (B, 2), side (B,) and angle (B,) of the crops, around both hands or one of them."""
    batch, device = len(projected), projected.device
    both = present.prod(1) > 0
    focus = both & (uniform(batch, rng, device) < noise.focus)
    keep_right = uniform(batch, rng, device) < 0.5
    one = torch.stack([keep_right, ~keep_right], 1).to(present.dtype)
    used = torch.where(focus[:, None], one, present)

    angle = _upright(projected, used)
    angle = angle + _rolls(batch, noise, rng, device)
    c, s = angle.cos()[:, None], angle.sin()[:, None]
    along_x = projected[..., 0] * c + projected[..., 1] * s
    along_y = -projected[..., 0] * s + projected[..., 1] * c
    along = torch.stack([along_x, along_y], -1)
    counts = used.repeat_interleave(21, 1)[..., None] > 0
    low = along.masked_fill(~counts, torch.inf).amin(1)
    high = along.masked_fill(~counts, -torch.inf).amax(1)
    tight = (high - low).amax(1) * BOX_FACTOR
    side = tight * (torch.randn(batch, generator=rng, device=device).clamp(-2, 2) * noise.log_scale).exp()
    shift = (torch.rand(batch, 2, generator=rng, device=device) * 2 - 1) * noise.shift
    middle = (low + high) / 2 + shift * tight[:, None]
    center = torch.stack(
        [middle[:, 0] * c[:, 0] - middle[:, 1] * s[:, 0], middle[:, 0] * s[:, 0] + middle[:, 1] * c[:, 0]], -1
    )
    return center, side, angle


def _rolls(count: int, noise: CropNoise, rng: torch.Generator, device: torch.device) -> Tensor:
    """(count,) turns against upright, radians."""
    near = torch.randn(count, generator=rng, device=device).clamp(-3, 3) * (noise.roll_deg * torch.pi / 180)
    any_way = (uniform(count, rng, device) * 2 - 1) * torch.pi
    return torch.where(uniform(count, rng, device) < noise.any_turn, any_way, near)


def _upright(projected: Tensor, used: Tensor) -> Tensor:
    """(B,) turn in which the hands in use point up together; as `engines.geometry.crop.upright_angle_rad`."""
    rows = torch.tensor([[MIDDLE_BASE, WRIST], [21 + MIDDLE_BASE, 21 + WRIST]], device=projected.device)
    directions = (projected[:, rows[:, 0]] - projected[:, rows[:, 1]]) * used[..., None]
    total, longest = directions.sum(1), directions.norm(dim=-1).amax(1)
    angle = torch.atan2(total[:, 0], -total[:, 1])
    return torch.where(total.norm(dim=-1) < 0.5 * longest + 1.0e-6, torch.zeros_like(angle), angle)


def places_beside(
    points: Tensor, present: Tensor, picture_px: int, noise: CropNoise, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Crops that hold no joint: centre (B, 2), side (B,), angle (B,), and (B,) whether there was room for one.

    `points` (B, 42, 2) are the joints in pixels of the picture, `present` (B, 2) the hands they belong to. A place is
    taken only if the circle around the crop, and a margin for the flesh around the joints, is free of them.
    """
    batch, device = len(points), points.device
    absent = present.repeat_interleave(21, 1) == 0
    low = points.masked_fill(absent[..., None], torch.inf).amin(1)
    high = points.masked_fill(absent[..., None], -torch.inf).amax(1)
    margin = (high - low).amax(1).clamp(0, picture_px) * _MARGIN
    shape = (batch, _TRIES)
    sides = (torch.rand(shape, generator=rng, device=device) * (_BESIDE[1] - _BESIDE[0]) + _BESIDE[0]) * picture_px
    centers = (torch.rand(*shape, 2, generator=rng, device=device) * 0.8 + 0.1) * picture_px
    away = torch.cdist(centers, points).masked_fill(absent[:, None], torch.inf).amin(-1)
    free = away > sides * 0.5**0.5 + margin[:, None]
    first = free.float().argmax(1)
    rows = torch.arange(batch, device=device)
    return centers[rows, first], sides[rows, first], _rolls(batch, noise, rng, device), free.any(1)


def turned_scale(side: Tensor, angle: Tensor, size_px: int) -> Tensor:
    """(B, 2, 2) pixels of the picture from those of a crop of this side (B,) and turn (B,), about its centre."""
    scale = (side / size_px)[:, None]
    axis_x = torch.stack([angle.cos(), angle.sin()], -1) * scale
    axis_y = torch.stack([-angle.sin(), angle.cos()], -1) * scale
    return torch.stack([axis_x, axis_y], -1)


def crop_from_picture(offsets: Tensor, picture_from_crop: Tensor, size_px: int) -> Tensor:
    """(B, J, 2) pixels of the crop from offsets to its centre in pixels of the picture."""
    return torch.linalg.solve(picture_from_crop[:, None], offsets[..., None])[..., 0] + (size_px - 1) / 2


def crop_pictures(pictures: Tensor, picture_from_crop: Tensor, center: Tensor, flip: Tensor, size_px: int) -> Tensor:
    """Bilinear crops (B, C, S, S) in 0..1, black beyond the picture; a mirrored sample reads from right to left."""
    picture_px = pictures.shape[-1]
    steps = torch.arange(size_px, device=pictures.device, dtype=torch.float32) - (size_px - 1) / 2
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).flatten(0, 1)  # (S*S, 2) as x, y
    points = grid @ picture_from_crop.transpose(1, 2) + center[:, None]
    sign = torch.where(flip, -1.0, 1.0)[:, None]
    normal = (2 * points + 1) / picture_px - 1
    normal = torch.stack([normal[..., 0] * sign, normal[..., 1]], -1).unflatten(1, (size_px, size_px))
    return torch.nn.functional.grid_sample(pictures.float() / 255, normal, align_corners=False)

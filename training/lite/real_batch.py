"""Random crops of real pictures: labels in the picture only, no intrinsics, and masks for what nobody knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.spec import LITE
from training.banks.banks import BankMix
from training.banks.real_bank import STORED_EXTENT, RealBank
from training.lite.batch import DEPTH_LIMIT_MM, Labels, inside_square, seen_hands
from training.lite.crop_places import (
    CropNoise,
    crop_from_picture,
    crop_pictures,
    mirrored_samples,
    places_beside,
    random_places,
    turned_scale,
    uniform,
)


@dataclass(frozen=True)
class StoredReal:
    """Stored real pictures of a batch: labels in pixels of the stored picture."""

    pictures: Tensor
    """(B, 3, P, P) uint8 RGB."""
    joints_px: Tensor
    """(B, 42, 2)."""
    joint_depth_mm: Tensor
    """(B, 42) relative to the hand's wrist, along the line of sight."""
    depth_known: Tensor
    """(B, 42) 0 or 1."""
    hand_present: Tensor
    """(B, 2) 0 or 1."""
    hand_known: Tensor
    """(B, 2) 0 or 1."""
    term_weights: Tensor
    """(B, 5) what each term of the loss counts, in the order of `TermWeights`."""


def stored_real(bank: BankMix[RealBank], index: NDArray[np.int64], device: str) -> StoredReal:
    """Pictures and labels of these few rows as tensors."""
    rows = bank.rows(index)
    return StoredReal(
        pictures=torch.from_numpy(rows.pictures).to(device),
        joints_px=torch.from_numpy(rows.joints_px).to(device),
        joint_depth_mm=torch.from_numpy(rows.joint_depth_mm).to(device),
        depth_known=torch.from_numpy(rows.depth_known).float().to(device),
        hand_present=torch.from_numpy(rows.hand_present).float().to(device),
        hand_known=torch.from_numpy(rows.hand_known).float().to(device),
        term_weights=torch.from_numpy(bank.term_weights(index)).to(device),
    )


def random_real_crops(
    stored: StoredReal, size_px: int, noise: CropNoise, rng: torch.Generator
) -> tuple[Tensor, Labels]:
    """(B, 3, S, S) float RGB in 0..1 and the labels in pixels of the crop; mirrored hands change their names."""
    picture_px, batch, device = stored.pictures.shape[-1], len(stored.joints_px), stored.joints_px.device
    flip = uniform(batch, rng, device) < noise.flip
    values = torch.stack([stored.joint_depth_mm, stored.depth_known], -1)
    points, values, present = mirrored_samples(stored.joints_px, values, stored.hand_present, flip, picture_px)
    known = torch.where(flip[:, None], stored.hand_known.flip(1), stored.hand_known)
    stored_px = inside_square(points, picture_px)  # beyond it the crop shows nothing
    shown, _ = seen_hands(stored_px, present)
    center, side, angle = random_places(*_in_the_middle(points, shown, picture_px), noise, rng)
    emptied = (uniform(batch, rng, device) < noise.empty) & (known.prod(1) > 0)
    beside, its_side, its_angle, room = places_beside(points, present, picture_px, noise, rng)
    emptied &= room
    center = torch.where(emptied[:, None], beside, center)
    side, angle = torch.where(emptied, its_side, side), torch.where(emptied, its_angle, angle)

    picture_from_crop = turned_scale(side, angle, size_px)
    images = crop_pictures(stored.pictures, picture_from_crop, center, flip, size_px)
    in_crop = crop_from_picture(points - center[:, None], picture_from_crop, size_px)
    inside, cells = inside_square(in_crop, size_px) * stored_px, size_px // LITE.heatmap_stride
    return images, _labels(in_crop, values, present, known, inside, stored.term_weights, cells)


def _in_the_middle(points: Tensor, shown: Tensor, picture_px: int) -> tuple[Tensor, Tensor]:
    """Joints to lay crops around: where no hand is labelled, the corners of the stored picture's middle."""
    half, middle = picture_px / STORED_EXTENT / 2, (picture_px - 1) / 2
    corners = torch.full_like(points, middle - half)
    corners[:, 0::21] = middle + half  # a thumb's tip: the hand itself has no direction, so nothing is turned
    unlabelled = shown.sum(1) == 0
    used = torch.where(unlabelled[:, None], torch.ones_like(shown), shown)
    return torch.where(unlabelled[:, None, None], corners, points), used


def _labels(
    in_crop: Tensor, values: Tensor, present: Tensor, known: Tensor, inside: Tensor, term_weights: Tensor, cells: int
) -> Labels:
    depth_mm, depth_known = values.unbind(-1)
    visible, certain = seen_hands(inside, present)
    counts = inside * visible.repeat_interleave(21, 1)
    place, depth, hands, _, _ = term_weights.unbind(1)
    nothing = torch.zeros_like(visible)
    return Labels(
        joints_crop_px=in_crop,
        place_weight=counts * place[:, None],
        joint_depth_mm=depth_mm,
        depth_weight=counts * depth_known * (depth_mm.abs() < DEPTH_LIMIT_MM) * depth[:, None],
        hand_present=visible,
        hand_weight=certain * known * hands[:, None],
        left_minus_right_root_mm=nothing[:, 0],
        root_weight=nothing[:, 0],
        gamma=nothing,
        gamma_weight=nothing,
        hand_masks=nothing[..., None, None].expand(-1, -1, cells, cells),
        mask_weight=nothing[:, 0],
    )

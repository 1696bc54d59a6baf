"""A training batch, and the random crops that make one from stored pictures (torch, batched, on any device)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.skeleton import JOINTS_PER_HAND, MIDDLE_BASE, WRIST, WRISTS
from engines.spec import LITE, ROOTNET_AREA_MM2
from realtime.camera_space.closed_form import TYPICAL_HAND_MM
from training.banks.bank import UNKNOWN, HandBank
from training.banks.banks import BankMix
from training.lite.crop_places import (
    CropNoise,
    crop_from_picture,
    crop_pictures,
    mirrored_intrinsics,
    mirrored_samples,
    random_places,
    turned_scale,
    uniform,
)

DEPTH_LIMIT_MM = 199.0
_MIDDLE_CHAIN = [*range(MIDDLE_BASE - 3, MIDDLE_BASE + 1), WRIST]
"""Along its bones a hand's length is measured (`realtime.camera_space.bone_lengths.hand_length`)."""


@dataclass(frozen=True)
class Labels:
    """What the network should say of each crop of a batch, and how much each answer counts (0: unknown)."""

    joints_crop_px: Tensor
    """(B, 42, 2)."""
    place_weight: Tensor
    """(B, 42) above 0 where the place counts: the hand is there and the joint lies in the crop."""
    joint_depth_mm: Tensor
    """(B, 42) relative to the wrist, along the line of sight to the crop's centre (`engines.geometry.ray_depth`).

    All millimetres are those of the same picture of hands of typical length: a crop does not show how large a hand is,
    and whoever knows scales what the network says (`realtime.camera_space`).
    """
    depth_weight: Tensor
    """(B, 42) as `place_weight`, 0 where the depth is unknown or beyond what the network can say."""
    hand_present: Tensor
    """(B, 2) right, left: 0 or 1."""
    hand_weight: Tensor
    """(B, 2) 0 where a hand is cut by the crop, so that neither answer is wrong, or nobody knows."""
    left_minus_right_root_mm: Tensor
    """(B,) along the same line of sight."""
    root_weight: Tensor
    """(B,) above 0 where both hands are there and the bins reach as far."""
    gamma: Tensor
    """(B, 2) the wrists' distances along that line over RootNet's k of the crop, the picture's stretch taken out
    (`engines.geometry.ray_depth`).
    """
    gamma_weight: Tensor
    """(B, 2)."""
    hand_masks: Tensor
    """(B, 2, h, w) how much of each cell of the heat maps shows the right hand (its arm with it), the left one."""
    mask_weight: Tensor
    """(B,) 1 where that is known."""

    @property
    def pair(self) -> Tensor:
        """(B,) 1 where both hands are there."""
        return self.hand_present.prod(1)


def joined(parts: Sequence[Labels]) -> Labels:
    """The labels of several batches, one after the other."""
    return Labels(**{field.name: torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Labels)})


def of_rows(labels: Labels, rows: slice | Tensor) -> Labels:
    """The labels of these samples of the batch: a slice, or (B,) which."""
    return Labels(**{field.name: getattr(labels, field.name)[rows] for field in fields(Labels)})


@dataclass(frozen=True)
class Stored:
    """Stored pictures of a batch: labels in pixels of the stored picture."""

    pictures: Tensor
    """(B, 4, P, P) uint8, premultiplied RGBA."""
    joints_cam_mm: Tensor
    """(B, 42, 3)."""
    hand_present: Tensor
    """(B, 2) float."""
    intrinsics_px: Tensor
    """(B, 4)."""
    masks: Tensor
    """(B, 80, 80) uint8, as `HandBank.masks`."""
    term_weights: Tensor
    """(B, 5) what each term of the loss counts, in the order of `TermWeights`."""


def stored_batch(bank: BankMix[HandBank], index: NDArray[np.int64], device: str) -> Stored:
    """Pictures and labels of these few rows as tensors."""
    rows = bank.rows(index)
    return Stored(
        pictures=torch.from_numpy(rows.pictures).to(device),
        joints_cam_mm=torch.from_numpy(rows.joints_cam_mm).to(device),
        hand_present=torch.from_numpy(rows.hand_present).float().to(device),
        intrinsics_px=torch.from_numpy(rows.intrinsics_px).to(device),
        masks=torch.from_numpy(rows.masks).to(device),
        term_weights=torch.from_numpy(bank.term_weights(index)).to(device),
    )


def random_crops(stored: Stored, size_px: int, noise: CropNoise, rng: torch.Generator) -> tuple[Tensor, Labels]:
    """(B, 4, S, S) float premultiplied RGBA in 0..1 and the labels in pixels of the crop."""
    joints, present, focal = stored.joints_cam_mm, stored.hand_present, stored.intrinsics_px
    picture_px = stored.pictures.shape[-1]
    batch, device = len(joints), joints.device
    projected = _project(joints, focal)
    flip = uniform(batch, rng, device) < noise.flip
    projected, joints, present = mirrored_samples(projected, joints, present, flip, picture_px)
    focal = mirrored_intrinsics(focal, flip, picture_px)
    center, side, angle = random_places(projected, present, noise, rng)

    picture_from_crop = turned_scale(side, angle, size_px)
    images = crop_pictures(stored.pictures, picture_from_crop, center, flip, size_px)
    emptied = uniform(batch, rng, device) < noise.empty
    images = images * ~emptied[:, None, None, None]
    present = present * ~emptied[:, None]
    offsets = projected - center[:, None]
    in_crop = crop_from_picture(offsets, picture_from_crop, size_px)
    along = _along_ray(joints[..., 2], projected, center, focal) * _typical_share(joints, present)
    k = (ROOTNET_AREA_MM2 * focal[:, 0] * focal[:, 1]).sqrt() / side * _stretch(center, focal)
    masks = _masks(
        stored.masks, (center + 0.5) / picture_px, side / picture_px, angle, flip, size_px // LITE.heatmap_stride
    )
    masks = masks * ~emptied[:, None, None, None]
    return images, _labels(in_crop, along, present, stored, k, size_px, masks)


def _masks(stored: Tensor, center: Tensor, side: Tensor, angle: Tensor, flip: Tensor, cells: int) -> Tensor:
    """(B, 2, cells, cells) the right and the left hand in the crop; `center` and `side` in sides of the picture."""
    count = stored.shape[-1]
    hands = torch.stack([stored == 1, stored == 2], 1) * torch.tensor(255, dtype=torch.uint8, device=stored.device)
    found = crop_pictures(hands, turned_scale(side * count, angle, cells), center * count - 0.5, flip, cells)
    return torch.where(flip[:, None, None, None], found.flip(1), found)


def _project(joints: Tensor, focal: Tensor) -> Tensor:
    depth = joints[..., 2].clamp_min(1.0)
    x = joints[..., 0] / depth * focal[:, :1] + focal[:, 2:3]
    y = joints[..., 1] / depth * focal[:, 1:2] + focal[:, 3:4]
    return torch.stack([x, y], -1)


def _along_ray(depth: Tensor, projected: Tensor, center: Tensor, focal: Tensor) -> Tensor:
    """(B, 42) depths along the line of sight through the crop's centre from those along the axis."""
    slopes = (projected - focal[:, None, 2:]) / focal[:, None, :2]
    sight = (center - focal[:, 2:]) / focal[:, :2]
    share = ((slopes * sight[:, None]).sum(-1) + 1) / (sight.square().sum(-1, keepdim=True) + 1).sqrt()
    return depth * share


def _typical_share(joints: Tensor, present: Tensor) -> Tensor:
    """(B, 1) how much farther away hands of typical length look as these do; 1 without hands."""
    chain = joints.unflatten(1, (2, JOINTS_PER_HAND))[:, :, _MIDDLE_CHAIN]
    lengths = chain.diff(dim=2).norm(dim=-1).sum(-1)
    typical = TYPICAL_HAND_MM * present.sum(1) / (lengths * present).sum(1).clamp_min(1.0)
    return torch.where(present.any(1), typical, 1.0)[:, None]


def _stretch(center: Tensor, focal: Tensor) -> Tensor:
    """(B,) how much farther along its line of sight a hand is than k makes it (`engines.geometry.ray_depth`)."""
    sight = (center - focal[:, 2:]) / focal[:, :2]
    return (sight.square().sum(-1) + 1) ** 0.75


def seen_hands(inside: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Which hands a crop shows, and whether that is certain, both (B, 2); `inside` (B, 42) are the joints in it."""
    share_inside = inside.unflatten(1, (2, 21)).mean(-1)
    visible = present * (share_inside > 0.5).float()
    certain = 1 - present * ((share_inside > 0.2) & (share_inside < 0.8)).float()
    return visible, certain


def inside_square(points: Tensor, size_px: int) -> Tensor:
    """(B, 42) 1 where a point (B, 42, 2) lies on a pixel of a square picture."""
    return ((points > -0.5) & (points < size_px - 0.5)).all(-1).float()


def _labels(
    in_crop: Tensor, along: Tensor, present: Tensor, stored: Stored, k_mm: Tensor, size_px: int, masks: Tensor
) -> Labels:
    wrist_along = along[:, list(WRISTS)]
    relative = along - wrist_along.repeat_interleave(21, 1)
    inside = inside_square(in_crop, size_px)
    visible, certain = seen_hands(inside, present)
    counts = inside * visible.repeat_interleave(21, 1)
    root = wrist_along[:, 1] - wrist_along[:, 0]
    place, depth, hands, of_root, of_gamma = stored.term_weights.unbind(1)
    return Labels(
        joints_crop_px=in_crop,
        place_weight=counts * place[:, None],
        joint_depth_mm=relative,
        depth_weight=counts * (relative.abs() < DEPTH_LIMIT_MM) * depth[:, None],
        hand_present=visible,
        hand_weight=certain * hands[:, None],
        left_minus_right_root_mm=root,
        root_weight=visible.prod(1) * (root.abs() < DEPTH_LIMIT_MM) * of_root,
        gamma=wrist_along / k_mm[:, None],
        gamma_weight=visible * of_gamma[:, None],
        hand_masks=masks,
        mask_weight=(stored.masks[:, 0, 0] != UNKNOWN).float(),
    )

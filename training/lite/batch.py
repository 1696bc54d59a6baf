"""A training batch, and the random crops that make one from stored pictures (torch, batched, on any device)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.skeleton import WRISTS
from engines.spec import ROOTNET_AREA_MM2
from training.banks.bank import HandBank
from training.lite.crop_places import (
    CropNoise,
    crop_pictures,
    mirrored_intrinsics,
    mirrored_samples,
    random_places,
    uniform,
)

DEPTH_LIMIT_MM = 199.0


@dataclass(frozen=True)
class Labels:
    """What the network should say of each crop of a batch."""

    joints_crop_px: Tensor
    """(B, 42, 2)."""
    joint_depth_mm: Tensor
    """(B, 42) relative to the hand's wrist, along the line of sight through the crop's centre
    (`engines.geometry.ray_depth`)."""
    joint_weight: Tensor
    """(B, 42) 1 where the joint counts: its hand is there and it lies in the crop."""
    hand_present: Tensor
    """(B, 2) right, left: 0 or 1."""
    hand_weight: Tensor
    """(B, 2) 0 where a hand is cut by the crop, so that neither answer is wrong."""
    left_minus_right_root_mm: Tensor
    """(B,) along the same line of sight."""
    pair_weight: Tensor
    """(B,) 1 where both hands are there."""
    gamma: Tensor
    """(B, 2) wrist depth over RootNet's k of the crop."""


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


def stored_batch(rows: HandBank, device: str) -> Stored:
    """Pictures and labels of these few rows as tensors."""
    return Stored(
        pictures=torch.from_numpy(rows.pictures).to(device),
        joints_cam_mm=torch.from_numpy(rows.joints_cam_mm).to(device),
        hand_present=torch.from_numpy(rows.hand_present).float().to(device),
        intrinsics_px=torch.from_numpy(rows.intrinsics_px).to(device),
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

    scale = side / size_px
    axis_x = torch.stack([angle.cos(), angle.sin()], -1) * scale[:, None]
    axis_y = torch.stack([-angle.sin(), angle.cos()], -1) * scale[:, None]
    picture_from_crop = torch.stack([axis_x, axis_y], -1)  # (B, 2, 2)
    images = crop_pictures(stored.pictures, picture_from_crop, center, flip, size_px)
    emptied = uniform(batch, rng, device) < noise.empty
    images = images * ~emptied[:, None, None, None]
    present = present * ~emptied[:, None]
    offsets = projected - center[:, None]
    in_crop = torch.linalg.solve(picture_from_crop[:, None], offsets[..., None])[..., 0] + (size_px - 1) / 2
    along = _along_ray(joints[..., 2], projected, center, focal)
    return images, _labels(in_crop, joints, along, present, focal, side, size_px)


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


def _labels(
    in_crop: Tensor, joints: Tensor, along: Tensor, present: Tensor, focal: Tensor, side: Tensor, size_px: int
) -> Labels:
    wrist_depth, wrist_along = joints[:, list(WRISTS), 2], along[:, list(WRISTS)]
    relative = along - wrist_along.repeat_interleave(21, 1)
    inside = ((in_crop > -0.5) & (in_crop < size_px - 0.5)).all(-1).float()
    share_inside = inside.unflatten(1, (2, 21)).mean(-1)
    visible = present * (share_inside > 0.5).float()
    certain = 1 - present * ((share_inside > 0.2) & (share_inside < 0.8)).float()
    k = (ROOTNET_AREA_MM2 * focal[:, 0] * focal[:, 1]).sqrt() / side
    return Labels(
        joints_crop_px=in_crop,
        joint_depth_mm=relative,
        joint_weight=inside * visible.repeat_interleave(21, 1) * (relative.abs() < DEPTH_LIMIT_MM),
        hand_present=visible,
        hand_weight=certain,
        left_minus_right_root_mm=(wrist_along[:, 1] - wrist_along[:, 0]).clamp(-DEPTH_LIMIT_MM, DEPTH_LIMIT_MM),
        pair_weight=visible.prod(1),
        gamma=wrist_depth / k[:, None],
    )

"""A training batch, and the random crops that make one from stored pictures (torch, batched, on any device)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.crop import BOX_FACTOR
from engines.pinhole import ROOTNET_AREA_MM2
from engines.skeleton import MIDDLE_BASE, SWAP_HANDS, WRIST, WRISTS
from training.datasets.bank import HandBank

DEPTH_LIMIT_MM = 199.0


@dataclass(frozen=True)
class Labels:
    """What the network should say of each crop of a batch."""

    joints_crop_px: Tensor
    """(B, 42, 2)."""
    joint_depth_mm: Tensor
    """(B, 42) relative to the hand's wrist, along the line of sight through the crop's centre (`engines.ray_depth`)."""
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
class CropNoise:
    """How far a training crop strays from the true one, as a tracker's own boxes do."""

    shift: float = 0.15
    """Largest shift, in sides of the crop."""
    log_scale: float = 0.15
    """Standard deviation of the logarithm of the scale."""
    roll_deg: float = 22.0
    """Standard deviation of the turn against upright; cut at three deviations."""
    flip: float = 0.5
    """Share of mirrored samples; both hands change their names."""
    focus: float = 0.2
    """Share of pairs in which the crop is laid around one hand only."""
    empty: float = 0.04
    """Share of crops from which the hands are taken away, as when a tracker has lost them."""


NO_NOISE = CropNoise(shift=0.0, log_scale=0.0, roll_deg=0.0, flip=0.0, focus=0.0, empty=0.0)


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
    flip = _uniform(batch, rng, device) < noise.flip
    projected, joints, present = _mirror(projected, joints, present, flip, picture_px)
    focal = _mirrored_intrinsics(focal, flip, picture_px)
    center, side, angle = _place(projected, present, noise, rng)

    scale = side / size_px
    axis_x = torch.stack([angle.cos(), angle.sin()], -1) * scale[:, None]
    axis_y = torch.stack([-angle.sin(), angle.cos()], -1) * scale[:, None]
    picture_from_crop = torch.stack([axis_x, axis_y], -1)  # (B, 2, 2)
    images = _sample(stored.pictures, picture_from_crop, center, flip, size_px)
    emptied = _uniform(batch, rng, device) < noise.empty
    images = images * ~emptied[:, None, None, None]
    present = present * ~emptied[:, None]
    offsets = projected - center[:, None]
    in_crop = torch.linalg.solve(picture_from_crop[:, None], offsets[..., None])[..., 0] + (size_px - 1) / 2
    along = _along_ray(joints[..., 2], projected, center, focal)
    return images, _labels(in_crop, joints, along, present, focal, side, size_px)


def _uniform(count: int, rng: torch.Generator, device: torch.device) -> Tensor:
    return torch.rand(count, generator=rng, device=device)


def _project(joints: Tensor, focal: Tensor) -> Tensor:
    depth = joints[..., 2].clamp_min(1.0)
    x = joints[..., 0] / depth * focal[:, :1] + focal[:, 2:3]
    y = joints[..., 1] / depth * focal[:, 1:2] + focal[:, 3:4]
    return torch.stack([x, y], -1)


def _mirror(
    projected: Tensor, joints: Tensor, present: Tensor, flip: Tensor, picture_px: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror the chosen samples: x runs backwards and right becomes left."""
    swap = torch.as_tensor(SWAP_HANDS, device=joints.device)
    mirrored = projected[:, swap] * projected.new_tensor([-1.0, 1.0]) + projected.new_tensor([picture_px - 1.0, 0.0])
    pick = flip[:, None, None]
    return (
        torch.where(pick, mirrored, projected),
        torch.where(pick, joints[:, swap], joints),  # only depths are used from here on
        torch.where(flip[:, None], present.flip(1), present),
    )


def _place(projected: Tensor, present: Tensor, noise: CropNoise, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Centre (B, 2), side (B,) and angle (B,) of the crops, around both hands or one of them."""
    batch, device = len(projected), projected.device
    both = present.prod(1) > 0
    focus = both & (_uniform(batch, rng, device) < noise.focus)
    keep_right = _uniform(batch, rng, device) < 0.5
    one = torch.stack([keep_right, ~keep_right], 1).to(present.dtype)
    used = torch.where(focus[:, None], one, present)

    angle = _upright(projected, used)
    roll = torch.randn(batch, generator=rng, device=device).clamp(-3, 3) * (noise.roll_deg * torch.pi / 180)
    angle = angle + roll
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


def _upright(projected: Tensor, used: Tensor) -> Tensor:
    """(B,) turn in which the hands in use point up together; as `engines.crop.upright_angle_rad`."""
    rows = torch.tensor([[MIDDLE_BASE, WRIST], [21 + MIDDLE_BASE, 21 + WRIST]], device=projected.device)
    directions = (projected[:, rows[:, 0]] - projected[:, rows[:, 1]]) * used[..., None]
    total, longest = directions.sum(1), directions.norm(dim=-1).amax(1)
    angle = torch.atan2(total[:, 0], -total[:, 1])
    return torch.where(total.norm(dim=-1) < 0.5 * longest + 1.0e-6, torch.zeros_like(angle), angle)


def _sample(pictures: Tensor, picture_from_crop: Tensor, center: Tensor, flip: Tensor, size_px: int) -> Tensor:
    """Bilinear crops (B, 4, S, S) in 0..1; a mirrored sample reads its picture from right to left."""
    picture_px = pictures.shape[-1]
    steps = torch.arange(size_px, device=pictures.device, dtype=torch.float32) - (size_px - 1) / 2
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).flatten(0, 1)  # (S*S, 2) as x, y
    points = grid @ picture_from_crop.transpose(1, 2) + center[:, None]
    sign = torch.where(flip, -1.0, 1.0)[:, None]
    normal = (2 * points + 1) / picture_px - 1
    normal = torch.stack([normal[..., 0] * sign, normal[..., 1]], -1).unflatten(1, (size_px, size_px))
    return torch.nn.functional.grid_sample(pictures.float() / 255, normal, align_corners=False)


def _mirrored_intrinsics(focal: Tensor, flip: Tensor, picture_px: int) -> Tensor:
    """(B, 4) of the mirrored pictures: the principal point moves to the other side."""
    other = torch.stack([focal[:, 0], focal[:, 1], picture_px - 1.0 - focal[:, 2], focal[:, 3]], -1)
    return torch.where(flip[:, None], other, focal)


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

"""Errors on held-out renders, in the units a user cares about; the same pictures at every call."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engines.networks.decode import DeployedLite
from engines.networks.lite import Lite
from training.banks.banks import BankMix
from training.lite.augment import Augmenter
from training.lite.batch import Labels, random_crops, stored_batch
from training.lite.crop_places import CropNoise
from training.settings import Settings

SAMPLES = 768
NOISE = CropNoise(shift=0.06, log_scale=0.08, roll_deg=12.0, flip=0.0, focus=0.0, empty=0.0)
"""As far as a working tracker's crops stray."""
_BATCH = 64


def held_out_batches(
    bank: BankMix, backgrounds: Tensor, settings: Settings, size_px: int, samples: int = SAMPLES
) -> Iterator[tuple[Tensor, Labels]]:
    """The fixed crops (B, 3, S, S) and labels of the held-out shards."""
    rng = torch.Generator(device=settings.device).manual_seed(12345)
    augmenter = Augmenter(backgrounds.to(settings.device), rng)
    picks = np.linspace(0, len(bank) - 1, min(samples, len(bank))).astype(int)
    for start in range(0, len(picks), _BATCH):
        stored = stored_batch(bank.rows(picks[start : start + _BATCH]), settings.device)
        hands, labels = random_crops(stored, size_px, NOISE, rng)
        yield augmenter(hands), labels


@torch.no_grad()
def validate(network: Lite, bank: BankMix, backgrounds: Tensor, settings: Settings) -> dict[str, float]:
    """Mean errors: 2D in pixels of a 256 px crop, depths in mm; `hands_right` is the share with both flags right."""
    deployed = DeployedLite(network).eval()
    rows: list[dict[str, float]] = []
    crop_px = settings.crop_px(network.spec.input_px)
    for images, labels in held_out_batches(bank, backgrounds, settings, crop_px):
        with torch.autocast(torch.device(settings.device).type, torch.bfloat16, enabled=settings.bfloat16):
            outputs = dict(zip(DeployedLite.output_names, deployed(images), strict=True))
        rows.append(_errors(outputs, labels, 256 / crop_px))
    weights = {name: np.array([row[f"n_{name}"] for row in rows]) for name in _NAMES}
    return {
        name: float((np.array([row[name] for row in rows]) * weights[name]).sum() / weights[name].sum())
        for name in _NAMES
    }


_NAMES = ("single_px", "pair_px", "joint_depth_mm", "root_mm", "hands_right", "gamma")


def _errors(outputs: dict[str, Tensor], labels: Labels, to_256: float) -> dict[str, float]:
    distance = (outputs["joints_crop_px"] - labels.joints_crop_px).norm(dim=-1) * to_256
    pair = labels.pair_weight[:, None]
    flags = ((outputs["hand_probability"] > 0.5) == (labels.hand_present > 0.5)).all(1).float()
    root = (outputs["left_minus_right_root_mm"][:, 0] - labels.left_minus_right_root_mm).abs()
    measured = {
        "single_px": (distance, labels.joint_weight * (1 - pair)),
        "pair_px": (distance, labels.joint_weight * pair),
        "joint_depth_mm": ((outputs["joint_depth_mm"] - labels.joint_depth_mm).abs(), labels.joint_weight),
        "root_mm": (root, labels.pair_weight),
        "hands_right": (flags, labels.hand_weight.prod(1)),
        "gamma": (
            (outputs["root_depth_factor"] - labels.gamma).abs() / labels.gamma.clamp_min(0.1),
            labels.hand_present,
        ),
    }
    means = {
        name: float((value * weight).sum() / weight.sum().clamp_min(1e-6)) for name, (value, weight) in measured.items()
    }
    return means | {f"n_{name}": float(weight.sum()) for name, (_, weight) in measured.items()}

"""Makes RootNet's factor that of a hand of typical length: a shift of its head's bias, fitted on held-out hands.

A crop does not show how large a hand is, so the factor that a network learns is that of the average hand it was trained
on, and the generator's hands are of all ages. Whoever knows a hand's length scales by it (`realtime.camera_space`);
for everybody else the typical one should be meant. Rendered hands of every length tell by how much: one of s mm at a
distance z looks as the typical one does at z * typical / s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

from engines.networks.lite import Lite
from realtime.camera_space.closed_form import TYPICAL_HAND_MM
from training.banks.bank import HandBank
from training.banks.banks import BankMix
from training.lite.augment import Augmenter
from training.lite.batch import Labels, random_crops, stored_batch
from training.lite.settings import Settings
from training.lite.validation import NOISE, picks

SAMPLES = 512
_SEED = 2
_CHAIN = [20, 11, 10, 9, 8]
"""Wrist to the tip of the middle finger."""


@torch.no_grad()
def fit_factor(network: Lite, bank: BankMix[HandBank], backgrounds: Tensor, settings: Settings) -> float:
    """Shift the factor's bias in place until its mean logarithm is that of typical hands; returns what it was off."""
    batches = list(_batches(bank, backgrounds, settings, settings.crop_px(network.spec.input_px)))
    first, bias = _off(network, batches), cast(nn.Linear, network.gamma[-1]).bias
    # Newton's steps: gamma = softplus(g) + 0.2, so d log(gamma) / dg = (1 - exp(0.2 - gamma)) / gamma
    for _ in range(2):
        gamma = torch.cat([network(images).gamma.flatten() for images, _, _ in batches])
        slope = float(((1 - (0.2 - gamma).exp()) / gamma).mean())
        bias.sub_(_off(network, batches) / slope)
    return first


def _batches(
    bank: BankMix[HandBank], backgrounds: Tensor, settings: Settings, size_px: int
) -> Iterator[tuple[Tensor, Labels, Tensor]]:
    """Crops, labels, and (B, 2) lengths of the hands in mm."""
    rng = torch.Generator(device=settings.device).manual_seed(_SEED)
    augmenter = Augmenter(backgrounds.to(settings.device), rng)
    for index in picks(len(bank), SAMPLES):
        stored = stored_batch(bank, index, settings.device)
        hands, labels = random_crops(stored, size_px, NOISE, rng)  # not mirrored: lengths stay at their hand
        chain = stored.joints_cam_mm.unflatten(1, (2, 21))[:, :, _CHAIN]
        yield augmenter(hands), labels, chain.diff(dim=2).norm(dim=-1).sum(-1)


def _off(network: Lite, batches: list[tuple[Tensor, Labels, Tensor]]) -> float:
    """Mean logarithm of the factor over that of a typical hand that looks as this one."""
    total, count = 0.0, 0.0
    for images, labels, lengths_mm in batches:
        told = labels.gamma_weight > 0
        typical = labels.gamma * TYPICAL_HAND_MM / lengths_mm.clamp_min(1.0)
        total += float((network(images).gamma[told] / typical[told]).log().sum())
        count += float(told.sum())
    return total / max(count, 1.0)

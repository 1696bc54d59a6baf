"""Makes RootNet's factor that of a hand of typical length: a shift of its head's bias, fitted on held-out hands.

A crop does not show how large a hand is. Whoever knows scales by it (`realtime.camera_space`); for everybody else the
typical one is meant, whose labels training uses (`training.lite.batch`). What remains, and what older weights learnt
from hands of all ages, is taken out here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from scipy.optimize import brentq
from torch import Tensor, nn

from engines.networks.lite import LEAST_GAMMA, Lite
from training.banks.bank import HandBank
from training.banks.banks import BankMix
from training.lite.augment import Augmenter
from training.lite.batch import random_crops, stored_batch
from training.lite.settings import Settings
from training.lite.validation import NOISE, picks

SAMPLES = 512
_SEED = 2
_MOST_SHIFT = 4.0


@torch.no_grad()
def fit_factor(network: Lite, bank: BankMix[HandBank], backgrounds: Tensor, settings: Settings) -> float:
    """Shift the factor's bias in place until its mean logarithm is that of typical hands; returns what it was off."""
    size_px = settings.crop_px(network.spec.input_px)
    found = _factors(network, bank, backgrounds, settings, size_px)
    told, typical = (torch.cat(part) for part in zip(*found, strict=True))
    before = (told - LEAST_GAMMA).expm1().log()  # what goes into the soft-plus

    def off(shift: float) -> float:
        return float(((F.softplus(before + shift) + LEAST_GAMMA) / typical).log().mean())

    cast(nn.Linear, network.gamma[-1]).bias.add_(brentq(off, -_MOST_SHIFT, _MOST_SHIFT))
    return off(0.0)


def _factors(
    network: Lite, bank: BankMix[HandBank], backgrounds: Tensor, settings: Settings, size_px: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Of the hands in held-out crops (N,): what the network says, and what it should of a typical one."""
    rng = torch.Generator(device=settings.device).manual_seed(_SEED)
    augmenter = Augmenter(backgrounds.to(settings.device), rng)
    for index in picks(len(bank), SAMPLES):
        stored = stored_batch(bank, index, settings.device)
        hands, labels = random_crops(stored, size_px, NOISE, rng)
        counted = labels.gamma_weight > 0
        yield network(augmenter(hands)).gamma[counted].double(), labels.gamma[counted].double()

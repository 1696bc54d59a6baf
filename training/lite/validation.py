"""Errors on held-out hands, in the units a user cares about; the same crops at every call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.networks.decode import DeployedLite
from engines.networks.lite import Lite
from engines.networks.witness import Witness
from training.banks.bank import HandBank
from training.banks.banks import BankMix, load_mix, load_real_mix
from training.banks.real_bank import RealBank
from training.lite.augment import Augmenter
from training.lite.batch import Labels, random_crops, stored_batch
from training.lite.crop_places import CropNoise
from training.lite.real_batch import random_real_crops, stored_real
from training.lite.settings import DataSettings, Settings

SAMPLES = 768
NOISE = CropNoise(shift=0.06, log_scale=0.08, roll_deg=12.0, flip=0.0, focus=0.0, empty=0.0)
"""As far as a working tracker's crops stray."""
_BATCH, _SEED = 64, 12345


@dataclass(frozen=True)
class HeldOut:
    """What no run trains on."""

    rendered: BankMix[HandBank]
    real: BankMix[RealBank] | None


def load_held_out(data: DataSettings) -> HeldOut:
    """The held-out shards of the settings; raises UserError if they cannot be read, or none of renders is named."""
    rendered = load_mix(data.validation_sources(), data.picture_px, data.cache)
    return HeldOut(rendered, load_real_mix(data.validation_sources("real"), data.real_px, data.cache))


def held_out_batches(
    bank: BankMix[HandBank], backgrounds: Tensor, settings: Settings, size_px: int, samples: int = SAMPLES
) -> Iterator[tuple[Tensor, Labels]]:
    """The fixed crops (B, 3, S, S) and labels of the held-out shards."""
    rng = torch.Generator(device=settings.device).manual_seed(_SEED)
    augmenter = Augmenter(backgrounds.to(settings.device), rng)
    for index in picks(len(bank), samples):
        hands, labels = random_crops(stored_batch(bank, index, settings.device), size_px, NOISE, rng)
        yield augmenter(hands), labels


def held_out_real(bank: BankMix[RealBank], settings: Settings, size_px: int) -> Iterator[tuple[Tensor, Labels]]:
    """The same for real hands, whose pictures stay as they are."""
    rng = torch.Generator(device=settings.device).manual_seed(_SEED)
    for index in picks(len(bank), SAMPLES):
        yield random_real_crops(stored_real(bank, index, settings.device), size_px, NOISE, rng)


def picks(count: int, samples: int) -> Iterator[np.ndarray]:
    """Rows of a bank of `count`, evenly spread, in batches."""
    picks = np.linspace(0, count - 1, min(samples, count)).astype(int)
    for start in range(0, len(picks), _BATCH):
        yield picks[start : start + _BATCH]


def validate(
    network: Lite, held_out: HeldOut, backgrounds: Tensor, settings: Settings, witness: Witness | None = None
) -> dict[str, float]:
    """Mean errors: 2D in pixels of a 256 px crop, depths in mm; `hands_right` is the share with both flags right.

    Of the network by itself, or with a witness (`engines.networks.witness`). `single_` and `pair_` are rendered hands,
    `real_` the real ones, if any are held out.
    """
    found = errors_on_rendered(network, held_out.rendered, backgrounds, settings, witness)
    del found["all_px"]
    if held_out.real is None:
        return found
    real = errors_on_real(network, held_out.real, settings, witness)
    return found | {f"real_{name}": real[key] for name, key in _REAL.items()}


_REAL = {"px": "all_px", "depth_mm": "joint_depth_mm", "hands_right": "hands_right"}


@torch.no_grad()
def errors_on_rendered(
    network: Lite, hands: BankMix[HandBank], backgrounds: Tensor, settings: Settings, witness: Witness | None = None
) -> dict[str, float]:
    """Mean errors on crops of rendered hands, named as `validate` says; NaN where nothing is known."""
    batches = held_out_batches(hands, backgrounds, settings, settings.crop_px(network.spec.input_px))
    return _means(DeployedLite(network, witness).eval(), batches, settings)


@torch.no_grad()
def errors_on_real(
    network: Lite, hands: BankMix[RealBank], settings: Settings, witness: Witness | None = None
) -> dict[str, float]:
    """The same for real hands."""
    batches = held_out_real(hands, settings, settings.crop_px(network.spec.input_px))
    return _means(DeployedLite(network, witness).eval(), batches, settings)


def _means(deployed: DeployedLite, batches: Iterable[tuple[Tensor, Labels]], settings: Settings) -> dict[str, float]:
    to_256 = 256 / settings.crop_px(deployed.network.spec.input_px)
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for images, labels in batches:
        with torch.autocast(torch.device(settings.device).type, torch.bfloat16, enabled=settings.bfloat16):
            outputs = dict(zip(DeployedLite.output_names, deployed(images), strict=True))
        for name, (value, weight) in _errors(outputs, labels, to_256).items():
            sums[name] = sums.get(name, 0.0) + float((value * weight).sum())
            counts[name] = counts.get(name, 0.0) + float(weight.sum())
    return {name: sums[name] / counts[name] if counts[name] else float("nan") for name in sums}


def _errors(outputs: dict[str, Tensor], labels: Labels, to_256: float) -> dict[str, tuple[Tensor, Tensor]]:
    """Values and their weights by name."""
    distance = (outputs["joints_crop_px"] - labels.joints_crop_px).norm(dim=-1) * to_256
    depth = (outputs["joint_depth_mm"] - labels.joint_depth_mm).abs()
    pair, place, deep = labels.pair[:, None], labels.place_weight, labels.depth_weight
    flags = ((outputs["hand_probability"] > 0.5) == (labels.hand_present > 0.5)).all(1).float()
    gamma = (outputs["root_depth_factor"] - labels.gamma).abs() / labels.gamma.clamp_min(0.1)
    root = (outputs["left_minus_right_root_mm"][:, 0] - labels.left_minus_right_root_mm).abs()
    return {
        "single_px": (distance, place * (1 - pair)),
        "pair_px": (distance, place * pair),
        "all_px": (distance, place),
        "joint_depth_mm": (depth, deep),
        "single_depth_mm": (depth, deep * (1 - pair)),
        "pair_depth_mm": (depth, deep * pair),
        "root_mm": (root, labels.root_weight),
        "hands_right": (flags, labels.hand_weight.prod(1)),
        "gamma": (gamma, labels.gamma_weight),
    }

"""Makes a joint's confidence mean what it says: a logistic fit of "is right" against the spread of its heat map."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from engines.networks.decode import crop_from_heat, joint_cells
from engines.networks.lite import Lite
from training.banks.bank import HandBank
from training.banks.banks import BankMix
from training.evaluation.reliability import RIGHT_PX
from training.lite.settings import Settings
from training.lite.validation import held_out_batches

_SAMPLES = 3000


@torch.no_grad()
def spreads(network: Lite, bank: BankMix[HandBank], backgrounds: Tensor, settings: Settings) -> tuple[NDArray, NDArray]:
    """Logarithms of heat-map variances (N,) of held-out joints and whether each is right (N,)."""
    logs, right = [], []
    to_256 = 256 / network.spec.input_px
    for images, labels in held_out_batches(bank, backgrounds, settings, network.spec.input_px, _SAMPLES):
        cells, variance = joint_cells(network(images))
        error = (crop_from_heat(cells, network.spec.heatmap_stride) - labels.joints_crop_px).norm(dim=-1) * to_256
        counted = labels.place_weight > 0
        logs.append(variance.log()[counted].cpu().numpy())
        right.append((error < RIGHT_PX)[counted].cpu().numpy())
    return np.concatenate(logs).astype(np.float64), np.concatenate(right)


def fit_confidence(log_variance: NDArray, right: NDArray) -> tuple[float, float]:
    """Slope and offset of the logistic curve with the highest likelihood."""

    def loss(parameters: NDArray) -> float:
        score = parameters[0] * log_variance + parameters[1]
        return float(np.mean(np.logaddexp(0, -score) + (1 - right) * score))

    slope, offset = minimize(loss, np.array([-1.0, 1.0]), method="Nelder-Mead").x
    return float(slope), float(offset)

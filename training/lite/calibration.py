"""Makes a joint's confidence mean what it says: a logistic fit of "is right" against the spread of its heat map.

What the witness adds to it is a constant (`engines.networks.witness`), which the fit takes as given.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from engines.networks.decode import DeployedLite
from training.banks.bank import HandBank
from training.banks.banks import BankMix
from training.evaluation.reliability import RIGHT_PX
from training.lite.settings import Settings
from training.lite.validation import held_out_batches

_SAMPLES = 3000
_PRIOR = 10.0
"""Standard deviation of slope and offset before anything is seen, about zero."""


@torch.no_grad()
def spreads(
    network: DeployedLite, bank: BankMix[HandBank], backgrounds: Tensor, settings: Settings
) -> tuple[NDArray, NDArray, NDArray]:
    """Of held-out joints (N,): logarithms of heat-map variances, what the witness adds, and whether each is right."""
    logs, added, right = [], [], []
    size_px = network.network.spec.input_px
    for images, labels in held_out_batches(bank, backgrounds, settings, size_px, _SAMPLES):
        read = network.read(images)
        error = (read.joints_px - labels.joints_crop_px).norm(dim=-1) * 256 / size_px
        counted = labels.place_weight > 0
        logs.append(read.variance.log()[counted].cpu().numpy())
        agreement = torch.zeros_like(error) if read.agreement is None else read.agreement
        added.append(agreement[counted].cpu().numpy())
        right.append((error < RIGHT_PX)[counted].cpu().numpy())
    return np.concatenate(logs).astype(np.float64), np.concatenate(added).astype(np.float64), np.concatenate(right)


def fit_confidence(log_variance: NDArray, right: NDArray, added: NDArray | float = 0.0) -> tuple[float, float]:
    """Slope and offset of the likeliest logistic curve, where `added` is part of the score.

    Likely before anything is seen is what lies within `_PRIOR`: without that, joints that are all wrong, as after a few
    steps of training, would have an offset of minus infinity.
    """

    def loss(parameters: NDArray) -> float:
        score = parameters[0] * log_variance + parameters[1] + added
        unlikely = np.square(parameters / _PRIOR).sum() / (2 * len(log_variance))
        return float(np.mean(np.logaddexp(0, -score) + (1 - right) * score) + unlikely)

    slope, offset = minimize(loss, np.array([-1.0, 1.0]), method="Nelder-Mead").x
    return float(slope), float(offset)

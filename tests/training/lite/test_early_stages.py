"""Stages that never learn say through OpenVINO what torch says, and the rest of the network goes on from there."""

from __future__ import annotations

import pytest
import torch

from engines.networks.lite import Lite
from engines.networks.mobile_trunk import MOST_DONE
from training.lite.early_stages import EarlyStages
from training.lite.mediapipe_trunk import load_mediapipe_weights


@pytest.mark.parametrize("stages", [2, MOST_DONE])
def test_features_are_those_of_torch(stages: int) -> None:
    network = Lite()
    load_mediapipe_weights(network.trunk)
    early = EarlyStages(network.trunk, stages, "fp32")
    assert network.trunk.training, "making it left the trunk in another mode"
    network.eval()
    for count, side in ((2, 96), (3, 64)):  # a run's last batch, other crops
        images = torch.rand(count, 3, side, side)
        with torch.no_grad():
            torch.testing.assert_close(early(images), network.trunk.early(images, stages), rtol=1e-4, atol=1e-4)
            for whole, part in zip(network(images), network(early(images), stages), strict=True):
                torch.testing.assert_close(part, whole, rtol=1e-3, atol=1e-3)

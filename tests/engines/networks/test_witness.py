"""The witness: MediaPipe's own answer, from features that are shared; a rule that is silent on pairs and symmetric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from engines.building.sample_crops import sample_crops
from engines.networks.checkpoints import load_weights
from engines.networks.decode import DeployedLite
from engines.networks.lite import Lite
from engines.networks.mobile_trunk import MobileTrunk
from engines.networks.witness import INPUT_PX, Look, Witness, heard, joined, say
from engines.presets import DEFAULT_WEIGHTS, WITNESS_WEIGHTS
from engines.skeleton import JOINTS_PER_HAND
from training.lite.mediapipe_trunk import load_mediapipe_weights, load_mediapipe_witness
from training.pseudo.landmarks import LandmarkNetwork


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return sample_crops(INPUT_PX, count=6)


@pytest.fixture(scope="module")
def witness() -> Witness:
    made = Witness().eval()
    load_weights(made, WITNESS_WEIGHTS)
    return made


def images(crops: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crops).permute(0, 3, 1, 2).flip(1).float() / 255


@torch.no_grad()
def test_it_answers_as_mediapipes_own_file_does(crops: np.ndarray, witness: Witness) -> None:
    trunk = MobileTrunk().eval()
    load_mediapipe_weights(trunk)
    look = witness(trunk(images(crops))[0], INPUT_PX)
    original = LandmarkNetwork(exact=True)
    for row, crop in enumerate(crops):
        said, _ = original(crop)
        np.testing.assert_allclose(look.joints_px[row], said.joints_px, atol=2e-3)
        np.testing.assert_allclose(look.depth_px[row], said.depth_px, atol=2e-3)
        np.testing.assert_allclose(look.presence[row], said.presence, atol=1e-4)
        np.testing.assert_allclose(look.rightness[row], said.rightness, atol=1e-4)


def test_the_file_that_ships_is_what_the_wheel_holds(witness: Witness) -> None:
    again = Witness()
    load_mediapipe_witness(again)
    for name, value in again.state_dict().items():
        torch.testing.assert_close(witness.state_dict()[name], value.half().to(value.dtype), rtol=0, atol=0)


@torch.no_grad()
def test_it_goes_with_weights_that_kept_their_first_stages(witness: Witness) -> None:
    network = Lite()
    load_weights(network, DEFAULT_WEIGHTS["lite"])
    assert witness.fits(network.trunk)
    next(network.trunk.stages[0].parameters()).add_(0.01)
    assert not witness.fits(network.trunk)


def looks() -> Iterator[Look]:
    rng = torch.Generator().manual_seed(4)
    places = torch.rand((3, JOINTS_PER_HAND, 2), generator=rng) * INPUT_PX
    depth = torch.randn((3, JOINTS_PER_HAND), generator=rng)
    yield Look(places, depth, torch.tensor([0.99, 0.99, 0.2]), torch.tensor([0.98, 0.02, 0.98]))


def test_silent_on_pairs_without_a_hand_and_against_the_networks_side() -> None:
    look = next(looks())
    one_right, one_left, pair = torch.tensor([[0.99, 0.01]] * 3), torch.tensor([[0.01, 0.99]] * 3), torch.ones((3, 2))
    assert say(look, one_right).tolist() == [[1, 0], [0, 0], [0, 0]]
    assert say(look, one_left).tolist() == [[0, 0], [0, 1], [0, 0]]
    assert not say(look, pair).any()
    assert torch.equal(heard(look, pair), pair)
    assert heard(look, one_left)[0, 0] > 0.4, "a side that both disagree on becomes unsure"

    joints, depth, gamma = torch.zeros((3, 42, 2)), torch.zeros((3, 42)), torch.ones((3, 2))
    unheard = joined(look, torch.zeros((3, 2)), joints, depth, gamma, INPUT_PX)
    assert torch.equal(unheard[0], joints)
    assert torch.equal(unheard[1], depth)
    places, _ = joined(look, torch.ones((3, 2)), joints, depth, gamma, INPUT_PX)
    torch.testing.assert_close(places[:, :JOINTS_PER_HAND], look.joints_px / 2)


@torch.no_grad()
def test_an_empty_crop_has_no_hand_and_no_nan(witness: Witness) -> None:
    network = Lite().eval()
    load_weights(network, DEFAULT_WEIGHTS["lite"])
    plain, both = DeployedLite(network), DeployedLite(network, witness)
    black = torch.zeros((1, 3, INPUT_PX, INPUT_PX))
    assert all(torch.isfinite(value).all() for value in both(black))
    torch.testing.assert_close(both(black)[0], plain(black)[0])

"""The witness: MediaPipe's own answer, from features that are shared; a rule that is silent on pairs and symmetric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from engines.building.sample_crops import sample_crops
from engines.geometry.pinhole import rootnet_k
from engines.networks.checkpoints import load_weights
from engines.networks.decode import DeployedLite
from engines.networks.lite import Lite
from engines.networks.mobile_trunk import MobileTrunk
from engines.networks.witness import INPUT_PX, Look, Witness, heard, joined, say
from engines.presets import DEFAULT_WEIGHTS, WITNESS_WEIGHTS
from engines.skeleton import JOINTS_PER_HAND, SWAP_HANDS
from engines.spec import OUTPUT_NAMES
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

    joints, depth, gamma = torch.rand((3, 42, 2)), torch.rand((3, 42)), torch.ones((3, 2))
    silent = joined(look, torch.zeros((3, 2)), joints, depth, torch.ones((3, 42)), gamma, 224)
    assert torch.equal(silent.joints_px, joints) and torch.equal(silent.depth_mm, depth)
    assert not silent.agreement.any()


def test_the_surer_of_both_counts_more_and_the_nearer_they_are_the_surer() -> None:
    look, said = next(looks()), torch.ones((3, 2))
    joints, depth, gamma = torch.zeros((3, 42, 2)), torch.zeros((3, 42)), torch.ones((3, 2))
    theirs = look.joints_px.repeat(1, 2, 1)
    shares = []
    for variance in (0.01, 4.0, 400.0):
        found = joined(look, said, joints, depth, torch.full((3, 42), variance), gamma, INPUT_PX)
        shares.append(float((found.joints_px / theirs).mean()))
        torch.testing.assert_close(found.joints_px, shares[-1] * theirs)
        assert (found.depth_mm.sign() == look.depth_px.repeat(1, 2).sign()).all()
    assert shares[0] < 0.01 and abs(shares[1] - 0.5) < 1.0e-6 and shares[2] > 0.98

    near = joined(look, said, theirs + 1, depth, torch.ones((3, 42)), gamma, INPUT_PX).agreement
    far = joined(look, said, theirs + 40, depth, torch.ones((3, 42)), gamma, INPUT_PX).agreement
    assert (near > 0.5).all() and (far < 0).all()


def test_depths_are_in_millimetres_whatever_camera_and_crop() -> None:
    """A hand at z under focal length f in a crop of `side` px of the picture: a pixel of the crop is z / f mm there."""
    look, said = next(looks()), torch.ones((3, 2))
    for z_mm, focal_px, side_px in ((500.0, 600.0, 300.0), (900.0, 1400.0, 120.0)):
        gamma = torch.full((3, 2), z_mm / float(rootnet_k(side_px, focal_px, focal_px)))
        found = joined(look, said, torch.zeros((3, 42, 2)), torch.zeros((3, 42)), torch.ones((3, 42)), gamma, INPUT_PX)
        mm = look.depth_px * (side_px / INPUT_PX) * z_mm / focal_px
        ratio = found.depth_mm[:, :JOINTS_PER_HAND] / mm
        torch.testing.assert_close(ratio, torch.full_like(ratio, 0.2 * 0.2 * 2.5))  # depth's share, variance's, gain


def test_a_mirrored_crop_gets_the_mirrored_answer() -> None:
    look, swap = next(looks()), list(SWAP_HANDS)
    rng = torch.Generator().manual_seed(5)
    joints, depth = torch.rand((3, 42, 2), generator=rng) * INPUT_PX, torch.randn((3, 42), generator=rng)
    variance, gamma = torch.rand((3, 42), generator=rng) * 9, 1 + torch.rand((3, 2), generator=rng)
    hands = torch.tensor([[0.9, 0.1], [0.3, 0.8], [0.9, 0.6]])
    turned = Look(mirrored(look.joints_px), look.depth_px, look.presence, 1 - look.rightness)

    torch.testing.assert_close(heard(turned, hands.flip(1)), heard(look, hands).flip(1))
    share, flipped = say(look, hands), say(turned, hands.flip(1))
    torch.testing.assert_close(flipped, share.flip(1))
    here = joined(look, share, joints, depth, variance, gamma, INPUT_PX)
    there = joined(
        turned, flipped, mirrored(joints[:, swap]), depth[:, swap], variance[:, swap], gamma.flip(1), INPUT_PX
    )
    torch.testing.assert_close(mirrored(there.joints_px[:, swap]), here.joints_px)
    torch.testing.assert_close(there.depth_mm[:, swap], here.depth_mm)
    torch.testing.assert_close(there.agreement[:, swap], here.agreement)


def mirrored(joints_px: torch.Tensor) -> torch.Tensor:
    """Places of the mirror image of a crop."""
    return torch.stack([INPUT_PX - 1 - joints_px[..., 0], joints_px[..., 1]], -1)


@torch.no_grad()
def test_an_empty_crop_has_no_hand_and_no_nan(witness: Witness) -> None:
    network = Lite().eval()
    load_weights(network, DEFAULT_WEIGHTS["lite"])
    plain, both = DeployedLite(network), DeployedLite(network, witness)
    black = torch.zeros((1, 3, INPUT_PX, INPUT_PX))
    assert all(torch.isfinite(value).all() for value in both(black))
    for with_it, without in zip(both(black), plain(black), strict=True):
        torch.testing.assert_close(with_it, without)


@torch.no_grad()
def test_pairs_are_answered_as_without_it(crops: np.ndarray, witness: Witness) -> None:
    network = Lite().eval()
    load_weights(network, DEFAULT_WEIGHTS["lite"])
    plain, both = DeployedLite(network)(images(crops)), DeployedLite(network, witness)(images(crops))
    hands = plain[OUTPUT_NAMES.index("hand_probability")]
    pair = hands.min(1).values > 0.9
    assert pair.any(), "the sample clip begins with two hands near each other"
    for with_it, without in zip(both, plain, strict=True):
        torch.testing.assert_close(with_it[pair], without[pair])

"""Attention between joints: silent at first, then what it adds reaches every answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.errors import UserError
from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.decode import DeployedLite, expectation
from engines.networks.joint_tokens import JointTokens
from engines.networks.lite import Lite

FEATURES, POOLED, BINS = 12, 20, 8


def inputs(seed: int = 0) -> tuple[torch.Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    sizes = (2, FEATURES, 7, 7), (2, 42, 7, 7), (2, 42, 7, 7), (2, POOLED)
    return tuple(torch.randn(size, generator=rng) for size in sizes)


def learned(seed: int = 1) -> JointTokens:
    """Tokens whose last layers say something."""
    torch.manual_seed(seed)
    tokens = JointTokens(FEATURES, POOLED, 42, BINS).eval()
    for last in (tokens.joint, tokens.hands, *(look.query for look in tokens.again)):
        torch.nn.init.normal_(last.weight, std=0.1)
    return tokens


def test_fresh_tokens_change_nothing() -> None:
    features, heat, depth, pooled = inputs()
    *corrections, after, earlier = JointTokens(FEATURES, POOLED, 42, BINS)(features, heat, depth, pooled)
    assert [tuple(part.shape) for part in corrections] == [(2, 42, 2), (2, 42), (2, 2), (2, BINS), (2, 2)]
    assert all(not part.any() for part in corrections)
    torch.testing.assert_close(after, heat)
    torch.testing.assert_close(earlier, heat[:, None])


def test_a_joint_hears_of_every_other_joint() -> None:
    features, heat, depth, pooled = inputs()
    tokens = learned()
    before = tokens(features, heat, depth, pooled)
    heat[:, 30] += 5 * torch.randn(2, 7, 7, generator=torch.Generator().manual_seed(3))
    after = tokens(features, heat, depth, pooled)
    assert ((after.depth_mm - before.depth_mm).abs() > 1.0e-4).all()
    assert ((after.hand_logits - before.hand_logits).abs() > 1.0e-6).all()
    moved = (after.heat_logits - before.heat_logits).abs().amax((2, 3))
    assert (moved > 1.0e-4).all(), "every heat map is another in the light of the one that changed"


def test_pictures_of_a_batch_do_not_hear_of_each_other() -> None:
    tokens, given = learned(), inputs()
    together, alone = tokens(*given), tokens(*(part[1:] for part in given))
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[1:], other, atol=1.0e-4, rtol=1.0e-4)


@pytest.mark.parametrize(("bias", "which"), [("joint", (0, 1)), ("hands", (3, 4, 5))])
def test_corrections_reach_the_answers(bias: str, which: tuple[int, ...]) -> None:
    """Outputs in the order of OUTPUT_NAMES: places, depths, confidence, hands, relative root, factors."""
    torch.manual_seed(0)
    network = Lite().eval()
    deployed = DeployedLite(network)
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = deployed(picture)
        said = getattr(network.tokens, bias).bias
        said.copy_(torch.linspace(0.1, 1.0, len(said)))
        after = deployed(picture)
    changed = {k for k, (a, b) in enumerate(zip(before, after, strict=True)) if not torch.equal(a, b)}
    assert changed == set(which)


def test_a_look_can_ask_for_a_place() -> None:
    """A query of places alone makes a blob there, x right and y down, whatever the features say."""
    tokens = JointTokens(FEATURES, POOLED, 42, BINS)
    features, heat, depth, pooled = inputs()
    x, y = 0.5, -0.25  # of half the map's width
    there = [f(0.5 * torch.pi * torch.tensor(along)) for along in (x, y) for f in (torch.sin, torch.cos)]
    with torch.no_grad():
        tokens.again[0].query.bias[FEATURES : FEATURES + 4] = 20 * torch.stack(there)
        found = tokens(features, torch.zeros_like(heat), depth, pooled).heat_logits
    mean, _ = expectation(found)
    torch.testing.assert_close(mean, torch.tensor([3 + 3 * x, 3 + 3 * y]).expand(2, 42, 2), atol=0.1, rtol=0)


def test_weights_of_before_say_what_they_said(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Lite().eval()
    save_weights(network, tmp_path / "new.safetensors", {})
    tensors = load_file(tmp_path / "new.safetensors")
    old = {name: value for name, value in tensors.items() if not name.startswith("tokens.again.")}
    save_file(old, tmp_path / "old.safetensors")
    again, picture = Lite().eval(), torch.rand(1, 3, 64, 64)
    load_weights(again, tmp_path / "old.safetensors")
    load_weights(network, tmp_path / "new.safetensors")
    with torch.no_grad():
        for one, other in zip(DeployedLite(network)(picture), DeployedLite(again)(picture), strict=True):
            torch.testing.assert_close(one, other)
    torn = {name: value for name, value in tensors.items() if not name.startswith("tokens.again.0.norm")}
    save_file(torn, tmp_path / "torn.safetensors")
    with pytest.raises(UserError, match="made for another network"):
        load_weights(again, tmp_path / "torn.safetensors")

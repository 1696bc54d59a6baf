"""Attention between joints: silent at first, then what it adds reaches every answer."""

from __future__ import annotations

import pytest
import torch

from engines.networks.decode import DeployedLite
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
    for last in (tokens.joint, tokens.hands):
        torch.nn.init.normal_(last.weight, std=0.1)
    return tokens


def test_fresh_tokens_change_nothing() -> None:
    corrections = JointTokens(FEATURES, POOLED, 42, BINS)(*inputs())
    assert [tuple(part.shape) for part in corrections] == [(2, 42, 2), (2, 42), (2, 2), (2, BINS), (2, 2)]
    assert all(not part.any() for part in corrections)


def test_a_joint_hears_of_every_other_joint() -> None:
    features, heat, depth, pooled = inputs()
    tokens = learned()
    before = tokens(features, heat, depth, pooled)
    heat[:, 30] += 5 * torch.randn(2, 7, 7, generator=torch.Generator().manual_seed(3))
    after = tokens(features, heat, depth, pooled)
    assert ((after.depth_mm - before.depth_mm).abs() > 1.0e-4).all()
    assert ((after.hand_logits - before.hand_logits).abs() > 1.0e-6).all()


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

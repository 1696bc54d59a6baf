"""How fast each part of `lite` learns, and which parts do."""

from __future__ import annotations

from typing import Any

import pytest

from engines.networks.lite import Lite
from training.lite.settings import Settings
from training.lite.state import apply_schedule, new_state


def _settings(**schedule: Any) -> Settings:
    return Settings.model_validate(
        {
            "data": {"banks": [{"root": "hands", "train": ["all"]}], "backgrounds": "photographs"},
            "schedule": {"samples": 100, "decay_from": 50, "warmup": 10, "learning_rate": 1.0, **schedule},
            "output": "out",
            "batch": 2,
        }
    )


@pytest.mark.parametrize(("samples", "share"), [(0, 0.1), (10, 1.0), (50, 1.0), (75, 0.5), (100, 0.002)])
def test_each_part_learns_at_its_own_rate(samples: int, share: float) -> None:
    settings = _settings(trunk_factor=0.25, added_factor=5.0, release_trunk=0)
    state = new_state(settings, Lite())
    state.samples = samples
    apply_schedule(state, settings.schedule)
    rates = {id(p): group["lr"] for group in state.optimizer.param_groups for p in group["params"]}
    found = {name: rates.pop(id(p)) for name, p in state.network.named_parameters()}
    assert not rates, "something learns that is not of the network"
    factors = {"trunk.stages.9.project.weight": 0.25, "wide8.0.body.0.weight": 5.0, "maps.weight": 1.0}
    for name, factor in factors.items():
        assert found[name] == pytest.approx(factor * share)


def test_what_is_frozen_stays() -> None:
    settings = _settings(release_trunk=60, frozen_stages=4)
    state = new_state(settings, Lite())
    learning: list[set[str]] = []
    for state.samples in (0, 60):
        apply_schedule(state, settings.schedule)
        learning.append({name for name, p in state.network.named_parameters() if p.requires_grad})
    heads, later = learning
    assert not any(name.startswith("trunk.") for name in heads)
    assert later > heads
    assert "trunk.stages.4.expand.0.weight" in later
    assert "trunk.stages.3.expand.0.weight" not in later
    depthwise = [
        name for name in later if name.startswith("trunk.") and "depthwise" in name and name.endswith("weight")
    ]
    assert not depthwise

"""Which weights the witness goes along with, and that key, graph and policy give one answer to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.backends.opening import open_backend
from engines.building.graph import deployed_module
from engines.cache.key import engine_key
from engines.contract import EngineRequest
from engines.networks.lite import Lite
from engines.networks.witness import shared_parameters
from engines.presets import DEFAULT_WEIGHTS, WITNESS_WEIGHTS
from engines.witness_file import witness_file

LITE = DEFAULT_WEIGHTS["lite"]
pytestmark = pytest.mark.skipif(not LITE.exists(), reason="needs the shipped weights")


@pytest.fixture(scope="module")
def trained_through(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose first stages learned, too (`schedule.frozen_stages: 0`)."""
    tensors = load_file(LITE)
    tensors["trunk.stages.0.expand.0.weight"] = tensors["trunk.stages.0.expand.0.weight"] * 1.01
    path = tmp_path_factory.mktemp("weights") / "other.safetensors"
    save_file(tensors, path)
    return path


def test_it_goes_with_the_weights_that_ship_and_not_with_changed_stages(trained_through: Path, tmp_path: Path) -> None:
    assert witness_file("lite", LITE) == WITNESS_WEIGHTS
    assert witness_file("lite", LITE, wanted=False) is None
    assert witness_file("lite", trained_through) is None
    assert witness_file("paper", LITE) is None
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    assert witness_file("lite", broken) is None
    assert witness_file("lite", tmp_path / "absent.safetensors") is None


def test_the_stages_it_compares_are_those_that_are_shared(tmp_path: Path) -> None:
    """Every one of them: a change in any layer of the stem or of the first four stages is seen."""
    network, tensors = Lite(), load_file(LITE)
    whole = shared_parameters(network.trunk).numel()
    names = [name for name in tensors if name.startswith(("trunk.stem", *(f"trunk.stages.{k}." for k in range(4))))]
    assert sum(tensors[name].numel() for name in names) == whole
    for name in names[:: max(1, len(names) // 6)]:
        changed = tensors[name].clone()
        changed.view(-1)[-1] += 1
        path = tmp_path / "changed.safetensors"
        save_file(tensors | {name: changed}, path)
        assert witness_file("lite", path) is None, name


def test_key_graph_and_backend_agree(trained_through: Path) -> None:
    def key(weights: Path, witness: bool = True) -> str:
        return engine_key("lite", "b", "1", "fp32", (1,), weights, "cpu", witness=witness).witness_sha256

    assert key(LITE) and not key(LITE, witness=False) and not key(trained_through)
    assert deployed_module("lite", LITE).witness
    assert not deployed_module("lite", LITE, witness=False).witness
    assert not deployed_module("lite", trained_through).witness
    for weights, wanted, there in ((LITE, True, True), (LITE, False, False), (trained_through, True, False)):
        request = EngineRequest(weights=weights, backend="torch", precision="fp32", witness=wanted)
        assert open_backend(request).witness is there


@torch.no_grad()
def test_left_out_it_is_the_network_alone() -> None:
    crops = torch.randint(0, 256, (1, 224, 224, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    alone, network = deployed_module("lite", LITE, witness=False), deployed_module("lite", LITE)
    network.deployed.witness = None
    for ours, theirs in zip(alone(crops), network(crops), strict=True):
        assert torch.equal(ours, theirs)

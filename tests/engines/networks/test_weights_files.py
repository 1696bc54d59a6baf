"""Files of weights: a round trip in half precision, and damage of any kind."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engines.errors import UserError
from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.lite import Lite


def test_weights_survive_a_round_trip_in_half_precision(tmp_path: Path) -> None:
    network, copy = Lite(), Lite()
    save_weights(network, tmp_path / "w.safetensors", {"samples": 0})
    load_weights(copy, tmp_path / "w.safetensors")
    for name, value in network.state_dict().items():
        torch.testing.assert_close(copy.state_dict()[name], value, atol=1.0e-2, rtol=1.0e-2)
    assert (tmp_path / "w.safetensors").stat().st_size < 12_000_000


def test_weights_from_before_a_part_was_added_answer_as_before(tmp_path: Path) -> None:
    before, now = Lite().eval(), Lite().eval()
    before.wide8 = before.wide16 = nn.Sequential()
    save_weights(before, tmp_path / "w.safetensors", {})
    load_weights(now, tmp_path / "w.safetensors")
    load_weights(before, tmp_path / "w.safetensors")  # in half precision, too
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(now(images), before(images), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("damage", ["missing", "cut", "noise", "huge header", "another network", "pickle"])
def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(Lite(width=32) if damage == "another network" else Lite(), path, {})
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:10_000])
    elif damage == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(10_000))
    elif damage == "huge header":
        path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    elif damage == "pickle":
        torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(UserError) as error:
        load_weights(Lite(), path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)

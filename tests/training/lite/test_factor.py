"""RootNet's factor is made that of a hand of typical length, whatever lengths the pictures have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engines.networks.lite import Lite
from tests.support.real_set import settings_file, write_set
from tests.support.small_bank import SIZE_PX, write_backgrounds, write_shard
from training.banks.banks import BankSource, load_mix
from training.lite.backgrounds import load_backgrounds
from training.lite.factor import fit_factor
from training.settings import load_settings


def test_the_factor_is_that_of_a_typical_hand(tmp_path: Path) -> None:
    write_set(tmp_path / "real")
    write_shard(tmp_path / "bank", "1", 24, seed=1)
    write_backgrounds(tmp_path / "photos")
    settings = load_settings(settings_file(tmp_path), [])
    bank = load_mix([BankSource(tmp_path / "bank", ("1",))], SIZE_PX, tmp_path / "cache")
    torch.manual_seed(0)
    network, backgrounds = Lite().eval(), load_backgrounds(tmp_path / "photos")
    off = fit_factor(network, bank, backgrounds, settings)
    assert abs(off) > 0.05, "an untrained network is off"
    assert fit_factor(network, bank, backgrounds, settings) == pytest.approx(0, abs=0.01)

"""Paths may be given as text wherever somebody calls by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.contract import EngineRequest
from engines.errors import UserError
from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.lite import Lite
from engines.networks.paper import read_paper
from engines.networks.released import load_released
from engines.presets import DEFAULT_WEIGHTS


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = str(tmp_path / "none.pth.tar")
    for kind in ("internet", "rootnet"):
        with pytest.raises(UserError, match=r"none\.pth\.tar: no such checkpoint"):
            load_released(kind, text)  # type: ignore[call-overload]
    with pytest.raises(UserError, match=r"none\.pth\.tar: no such checkpoint"):
        read_paper(text)


def test_weights_are_written_and_read_by_names_that_are_text(tmp_path: Path) -> None:
    network = Lite()
    load_weights(network, str(DEFAULT_WEIGHTS["lite"]))
    save_weights(network, str(tmp_path / "new" / "a.safetensors"), {})
    load_weights(network, str(tmp_path / "new" / "a.safetensors"))
    assert EngineRequest(cache=str(tmp_path)).cache == tmp_path  # type: ignore[arg-type]

"""One bank at a time: each line is what that bank alone says, and all together what a run's log says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from engines.presets import DEFAULT_WEIGHTS
from tests.support.real_set import write_set
from tests.support.small_bank import SIZE_PX, write_backgrounds, write_shard
from training.held_out import held_out_errors, main, table
from training.settings import load_settings


def test_each_bank_has_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        write_shard(tmp_path / name, "1", 6, seed=seed)
    write_set(tmp_path / "real", "home")
    write_backgrounds(tmp_path / "photos")
    rendered = [{"root": str(tmp_path / name), "train": ["all"], "validation": ["1"]} for name in ("one", "two")]
    real = {"root": str(tmp_path / "real"), "kind": "real", "train": ["all"], "validation": ["home"]}
    places = {"backgrounds": str(tmp_path / "photos"), "cache": str(tmp_path / "cache"), "picture_px": SIZE_PX}
    values = {
        "data": {"banks": [*rendered, real], "crop_px": 64, **places},
        "schedule": {"samples": 8, "decay_from": 8},
        "bfloat16": False,
        "output": str(tmp_path / "out"),
    }
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(values))
    weights = DEFAULT_WEIGHTS["lite"]
    found = held_out_errors(weights, load_settings(config, []))
    assert list(found) == [str(tmp_path / name) for name in ("one", "two", "real")]
    one, two, home = found.values()
    assert one["pair_px"] != two["pair_px"]
    values["data"]["banks"] = rendered[1:]
    config.write_text(yaml.safe_dump(values))
    assert held_out_errors(weights, load_settings(config, [])) == {str(tmp_path / "two"): two}
    shown = table(found).splitlines()
    assert f"{home['all_px']:.2f}" in shown[-1] and shown[-1].split()[-2] == "-"  # nobody knows z(R->L) of real hands
    values["data"]["banks"] = [rendered[0] | {"validation": []}]
    config.write_text(yaml.safe_dump(values))
    assert main(["--config", str(config)]) == 2
    assert "holds anything out" in capsys.readouterr().err

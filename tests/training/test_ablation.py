"""A row for each settings file: trained, judged, kept, and not done twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from engines.contract import EngineRequest
from tests.support import dataset_files as files
from tests.support.engines import Requests, requests_in_torch  # noqa: F401  pytest finds the fixture here
from tests.support.small_bank import SIZE_PX, write_backgrounds, write_shard
from training import ablation
from training.ablation import ROWS
from training.ablation import main as ablation_main


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two settings of runs of two steps."""
    root = tmp_path_factory.mktemp("ablation")
    write_shard(root / "bank", "1", 12, seed=1)
    write_shard(root / "bank", "2", 3, seed=2)
    write_backgrounds(root / "photos")
    bank = {"root": str(root / "bank"), "train": ["1"], "validation": ["2"]}
    values = {
        "data": {"banks": [bank], "backgrounds": str(root / "photos"), "cache": str(root / "cache")},
        "schedule": {"samples": 8, "decay_from": 4, "warmup": 4, "release_trunk": 0},
        "batch": 4,
        "validate_every": 100,
    }
    values["data"] |= {"picture_px": SIZE_PX, "crop_px": 64}
    paths = [root / "plain.yaml", root / "fast.yaml"]
    paths[0].write_text(yaml.safe_dump(values))
    paths[1].write_text("base: plain.yaml\nschedule: {learning_rate: 0.004}\n")
    return paths


@pytest.fixture(scope="module")
def webcam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("webcam")
    frame = {"image": "0.png", "side": "left", "joints_cam_mm": files.hand(4).tolist()}
    frame["intrinsics_px"] = files.CAMERA.as_array().tolist()
    files.write_json(root / "labels.json", {"frames": [frame]})
    (root / "images").mkdir()
    files.write_picture(root / "images" / "0.png")
    return root


def test_each_settings_file_has_its_row_and_is_trained_once(
    configs: list[Path],
    webcam: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    requests_in_torch: Requests,  # noqa: F811
) -> None:
    asked = requests_in_torch(ablation)
    command = ["--configs", *map(str, configs), "--webcam", str(webcam), "--output", str(tmp_path)]
    assert ablation_main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["| settings", "| ---", "| plain", "| fast"]
    assert lines[2].split(" | ")[1:] != lines[3].split(" | ")[1:]
    assert (tmp_path / "ablation.md").read_text().splitlines() == lines
    written = (tmp_path / "plain" / "last.pt").stat().st_mtime_ns
    assert ablation_main(command) == 0
    assert capsys.readouterr().out.splitlines() == lines
    assert (tmp_path / "plain" / "last.pt").stat().st_mtime_ns == written
    # else the engine of this machine, which test_retrain builds of such weights and compares with torch
    assert asked == [EngineRequest(weights=request.weights, witness=False) for request in asked]
    assert [request.weights.parent.name for request in asked if request.weights] == ["plain", "fast"]


def test_a_test_that_was_not_asked_for_before_is_judged_without_training(
    configs: list[Path],
    webcam: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    requests_in_torch: Requests,  # noqa: F811
) -> None:
    requests_in_torch(ablation)
    command = ["--configs", str(configs[0]), "--webcam", str(webcam), "--output", str(tmp_path)]
    assert ablation_main(command) == 0
    before = capsys.readouterr().out.splitlines()
    (tmp_path / "plain" / "last.pt").unlink()
    assert ablation_main([*command, "--synthetic", str(configs[0].parent / "bank"), "--each", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith(before[2].removesuffix(" |"))
    assert "synthetic mrrpe_mm" in lines[0]
    assert not (tmp_path / "plain" / "last.pt").exists()


def test_what_is_missing_is_one_line(configs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ablation_main(["--configs", str(configs[0]), "--webcam", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_rows_are_there() -> None:
    assert all(path.is_file() for path in ROWS)

"""A whole small run: it learns, stops, goes on to the same result, exports, and says what is wrong."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from engines.errors import UserError
from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.lite import Lite
from tests.support.small_bank import SIZE_PX, write_backgrounds, write_shard
from training.evaluation.reliability import reliability
from training.export import main as export_main
from training.lite.averaged import averaged_network
from training.lite.backgrounds import load_backgrounds
from training.lite.calibration import fit_confidence
from training.lite.losses import compute_losses
from training.lite.settings import ScheduleSettings
from training.lite.state import schedule_factor
from training.lite.validation import load_held_out, validate
from training.loop.curves import RunLog, curves_of
from training.settings import load_any_settings, load_settings
from training.train import main as train_main


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    write_shard(root / "bank", "1", 48, seed=1)
    write_shard(root / "bank", "2", 24, seed=2)
    write_shard(root / "bank", "3", 6, seed=3)
    write_backgrounds(root / "photos")
    values = {
        "data": {
            "banks": [{"root": str(root / "bank"), "train": ["1"], "validation": ["2"]}],
            "backgrounds": str(root / "photos"),
            "cache": str(root / "cache"),
            "picture_px": SIZE_PX,
            "crop_px": 64,
        },
        "schedule": {"samples": 64, "decay_from": 32, "warmup": 8, "release_trunk": 32},
        "batch": 8,
        "bfloat16": False,
        "validate_every": 32,
        "output": str(root / "out"),
    }
    path = root / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def few_held_out(config: Path) -> Path:
    """The same run, judged and calibrated on a quarter of the hands: where it does not matter how well it learned."""
    values = yaml.safe_load(config.read_text())
    values["data"]["banks"][0]["validation"] = ["3"]
    path = config.with_name("few.yaml")
    path.write_text(yaml.safe_dump(values))
    return path


def run(config: Path, output: Path, samples: int, *changes: str) -> dict[str, torch.Tensor]:
    changes = (f"output={output}", f"schedule.samples={samples}", *changes)
    assert train_main(["--config", str(config), *(word for change in changes for word in ("--set", change))]) == 0
    return torch.load(output / "last.pt", weights_only=True)["network"]


def test_an_interrupted_run_goes_on_to_the_same_result(few_held_out: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(few_held_out.read_text())
    values["schedule"]["decay_from"] = 1000  # the schedule must not know how far the first half was meant to go
    values["schedule"]["release_trunk"] = 8  # its optimiser has a state by then
    values["validate_every"] = 16
    steady = tmp_path / "steady.yaml"
    steady.write_text(yaml.safe_dump(values))
    straight = run(steady, tmp_path / "a", 24)
    run(steady, tmp_path / "b", 16)
    resumed = run(steady, tmp_path / "b", 24)
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value, atol=1.0e-5, rtol=1.0e-4, msg=name)


def test_a_run_leaves_log_curves_and_weights_that_learned(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ("schedule.samples=320", "schedule.release_trunk=8", "validate_every=160", "ema_half_life=32")
    command = ["--config", str(config), *(word for change in changes for word in ("--set", change))]
    assert train_main(command) == 0
    root = config.parent
    assert (root / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")
    with (root / "out" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    drawn = curves_of(rows)["pair_px"]["held_out"]
    assert drawn == [(160.0, float(rows[0]["held_out_pair_px"])), (320.0, float(rows[1]["held_out_pair_px"]))]
    weights = root / "w.safetensors"
    assert export_main([*command, "--output", str(weights)]) == 0
    facts = json.loads(weights.with_suffix(".json").read_text())
    assert facts["samples"] == 320
    assert "held out" in capsys.readouterr().out

    settings = load_settings(config, changes)
    backgrounds = load_backgrounds(settings.data.backgrounds)
    before, after = Lite().eval(), Lite().eval()
    load_weights(after, weights)
    fresh, learned = (validate(one, load_held_out(settings.data), backgrounds, settings) for one in (before, after))
    assert fresh["pair_px"] > 51
    assert learned["pair_px"] < 49  # seeds and kinds of processor: 44.0 to 46.3
    assert learned["pair_px"] == pytest.approx(drawn[-1][1], abs=0.01)


def test_runs_with_other_seeds_give_the_mean_of_their_weights(few_held_out: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        arguments = ["--config", str(few_held_out), "--set", f"output={tmp_path / seed}", "--set", f"seed={seed}"]
        assert train_main([*arguments, "--set", "schedule.samples=8"]) == 0
    paths = [tmp_path / seed / "last.pt" for seed in ("1", "2")]
    networks = [averaged_network(path) for path in paths]
    parts = [network.state_dict() for network, _ in networks]
    assert [samples for _, samples in networks] == [8, 8]
    name = "lateral.0.0.weight"
    assert not torch.equal(parts[0][name], parts[1][name])
    written = tmp_path / "w.safetensors"
    arguments = ["--config", str(few_held_out), "--set", f"output={tmp_path / '1'}", "--mean-with", str(paths[1])]
    assert export_main([*arguments, "--output", str(written)]) == 0
    facts = json.loads(written.with_suffix(".json").read_text())
    assert (facts["runs"], facts["samples"]) == (2, 16)
    assert torch.equal(load_file(written)[name], ((parts[0][name] + parts[1][name]) / 2).half())
    assert export_main([*arguments, str(tmp_path / "none.pt"), "--output", str(written)]) == 2


def test_weights_that_a_run_started_from_stand_in_the_side_car(few_held_out: Path, tmp_path: Path) -> None:
    first, written = tmp_path / "first.safetensors", tmp_path / "w.safetensors"
    save_weights(Lite(), first, {"samples": 7, "data": "some hands"})
    arguments = ["--config", str(few_held_out), "--set", f"output={tmp_path}", "--set", "schedule.samples=8"]
    arguments += ["--weights", str(first)]
    assert train_main(arguments) == 0
    assert export_main([*arguments, "--output", str(written)]) == 0
    facts = json.loads(written.with_suffix(".json").read_text())
    assert facts["start"] == {"samples": 7, "data": "some hands"}
    assert facts["samples"] == 8 + 7


@pytest.mark.parametrize("content", [None, "{", "[]"], ids=["missing", "damaged", "no side-car"])
def test_a_start_without_a_side_car_is_told_before_the_work(
    config: Path, content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the checkpoint is looked for, which is not there either."""
    if content is not None:
        (tmp_path / "first.json").write_text(content)
    arguments = ["--config", str(config), "--set", f"output={tmp_path}", "--output", str(tmp_path / "w.safetensors")]
    assert export_main([*arguments, "--set", f"start={tmp_path / 'first.safetensors'}"]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith(f"error: {tmp_path / 'first.json'}: ")


def test_weights_that_cannot_be_written_are_one_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says so first; there is no checkpoint yet."""
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "w.safetensors"
    arguments = ["--config", str(config), "--set", f"output={tmp_path / 'none'}", "--output", str(output)]
    assert export_main(arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith(f"error: {output}: cannot be written")
    with pytest.raises(UserError, match="cannot be written"):
        save_weights(Lite(), output, {})


def test_curves_are_drawn_through_what_was_measured(tmp_path: Path) -> None:
    rows = [
        {"samples": "8", "samples_per_s": "9", "train_loss": "1.5", "held_out_root_mm": "4.0", "held_out_loss": "2.5"},
        {"samples": "16", "samples_per_s": "9", "train_loss": "1.0", "held_out_root_mm": "", "held_out_loss": "2.0"},
    ]
    assert curves_of(rows) == {
        "loss": {"train": [(8.0, 1.5), (16.0, 1.0)], "held_out": [(8.0, 2.5), (16.0, 2.0)]},
        "root_mm": {"held_out": [(8.0, 4.0)]},
    }


def test_a_log_takes_other_columns_after_a_resume(tmp_path: Path) -> None:
    log = RunLog(tmp_path, 0)
    log.add(8, 1.0, {"loss": 1.0}, {"pair_px": 3.0, "root_mm": 5.0})
    log.draw()
    assert not (tmp_path / "curves.png").exists(), "one point is no curve"
    log = RunLog(tmp_path, 8)
    log.add(16, 1.0, {"loss": 0.5}, {"pair_px": 2.0, "gamma": 0.1})
    assert not (tmp_path / "curves.png").exists(), "a run that has only begun is not drawn at each of its rows"
    with log.path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["held_out_root_mm"], row["held_out_gamma"]) for row in rows] == [("5.0000", ""), ("", "0.1000")]
    log = RunLog(tmp_path, 16)
    log.add(24, 1.0, {"loss": 0.4}, {"pair_px": 2.0, "gamma": 0.1})
    log.draw()
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_a_log_that_fails_leaves_the_checkpoint(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(RunLog, "add", fail)
    with pytest.raises(OSError, match="disk full"):
        run(config, tmp_path, 16, "validate_every=8")
    assert averaged_network(tmp_path / "last.pt")[1] == 8


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.banks=[{root: /nowhere, train: ['1'], validation: ['2']}]", "no such shard"),
        ("data.banks=[{root: x, train: ['1'], validation: ['1']}]", "both trained on and held out"),
        ("schedule.sample=3", "sample"),
        ("batch=many", "batch"),
        ("schedule.learning_rate=1e-4", "learning_rate"),
        ("batch", "name=value"),
        ("network=[1]", "network '[1]' is unknown"),
        ("data.cache=/dev/null/x", "/dev/null/x: decoded pictures cannot be kept there"),
    ],
)
def test_mistakes_are_one_line(config: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", str(config), "--set", override]
    if override.endswith("1e-4"):  # YAML takes it for text; pydantic reads it as the number that is meant
        assert load_settings(config, [override]).schedule.learning_rate == pytest.approx(1.0e-4)
        return
    assert train_main(arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


def test_a_loss_that_is_no_number_stops_the_run(config: Path, tmp_path: Path) -> None:
    arguments = ["--config", str(config), "--set", f"output={tmp_path}", "--set", "loss.heatmap=.inf"]
    assert train_main(arguments) == 2


def test_schedule_warms_up_holds_and_falls_to_nearly_nothing() -> None:
    schedule = ScheduleSettings(samples=1000, decay_from=600, warmup=100)
    factors = [schedule_factor(n, schedule) for n in range(0, 1001, 50)]
    assert factors[0] < 0.02
    assert factors[2:12] == [1.0] * 10
    assert all(a > b for a, b in itertools.pairwise(factors[13:]))
    assert factors[-1] < 0.01


def test_perfect_maps_lose_next_to_nothing() -> None:
    """Maps built from the labels must give small coordinate losses, and exchanging the hands large ones."""
    from engines.networks.decode import heat_from_crop
    from engines.networks.lite import LiteMaps
    from engines.skeleton import SWAP_HANDS
    from training.lite.batch import Labels

    rng = torch.Generator().manual_seed(0)
    joints = torch.rand(4, 42, 2, generator=rng) * 120 + 20
    depth = torch.randn(4, 42, generator=rng) * 30
    ones = torch.ones(4, 2)
    all_joints, one = torch.ones(4, 42), torch.ones(4)
    masks = (torch.rand(4, 2, 20, 20, generator=rng) > 0.5).float()
    labels = Labels(joints, all_joints, depth, all_joints, ones, ones, torch.zeros(4), one, ones, ones, masks, one)
    cells = heat_from_crop(joints, 8)
    axis = torch.arange(20.0)
    heat = -((axis[None, None, None, :] - cells[..., 0, None, None]) ** 2)
    heat = (heat - (axis[None, None, :, None] - cells[..., 1, None, None]) ** 2) / 2
    root = torch.full((4, 64), -1.0e4)
    root[:, 32] = 1.0e4
    still = torch.zeros(4, 42, 2), torch.zeros(4, 42)
    flags, depths = torch.full((4, 2), 20.0), depth[..., None, None].expand(-1, -1, 20, 20)
    maps = LiteMaps(heat, depths, flags, root, ones, *still, heat[:, None], 20 * (2 * masks - 1))
    good = compute_losses(maps, labels, Lite().spec)
    assert float(good.joints_px) < 0.5
    assert float(good.joint_depth_mm) < 0.01
    assert float(good.root_mm + good.hands + good.gamma + good.masks) < 0.01
    swapped = compute_losses(maps._replace(heat_logits=heat[:, SWAP_HANDS]), labels, Lite().spec)
    assert float(swapped.joints_px) > 20
    assert float(swapped.heatmap) > float(good.heatmap) + 5
    misled = compute_losses(maps._replace(earlier_logits=heat[:, None, SWAP_HANDS]), labels, Lite().spec)
    assert float(misled.heatmap) == pytest.approx(float(swapped.heatmap)), "the looks before are taught, too"
    assert float(misled.joints_px) < 0.5


def test_calibration_recovers_a_known_curve() -> None:
    rng = np.random.default_rng(0)
    log_variance = rng.normal(0, 1, 20_000)
    right = rng.random(20_000) < 1 / (1 + np.exp(1.7 * log_variance - 0.6))
    slope, offset = fit_confidence(log_variance, right)
    assert slope == pytest.approx(-1.7, abs=0.1)
    assert offset == pytest.approx(0.6, abs=0.1)
    checked = reliability(1 / (1 + np.exp(-(slope * log_variance + offset))), right)
    assert checked.expected_error < 0.02
    slope, offset = fit_confidence(log_variance[:84], np.zeros(84, bool))  # nothing is right yet: no infinite doubt
    assert np.abs([slope, offset]).max() < 40
    assert (1 / (1 + np.exp(-(slope * log_variance[:84] + offset)))).max() < 0.1


def test_a_foreign_checkpoint_is_refused(config: Path, tmp_path: Path) -> None:
    torch.save({"network": {"a": torch.zeros(1)}}, tmp_path / "last.pt")
    arguments = ["--config", str(config), "--set", f"output={tmp_path}"]
    assert train_main(arguments) == 2
    with pytest.raises(UserError, match="no such settings file"):
        load_settings(tmp_path / "none.yaml", [])


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[3] / "training" / "configs").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_the_settings_that_ship_are_settings(path: Path) -> None:
    settings = load_any_settings(path, [])
    assert settings.output.parts[:2] == ("out", "training")
    assert settings.output.name == path.stem


def test_a_file_that_is_its_own_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: a.yaml\n")
    with pytest.raises(UserError, match="its own base"):
        load_settings(path, [])

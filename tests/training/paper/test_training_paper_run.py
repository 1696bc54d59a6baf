"""InterNet and RootNet trained for a few steps: they learn, stop, go on, share the work, and can be judged."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engines.networks.paper import read_paper
from tests.support.double_run import main as double_run
from tests.support.paper_files import drawn_interhand, drawn_tzionas, write_config
from tests.support.slim_networks import PUBLISHED, slim, slim_networks  # noqa: F401  pytest finds the fixture here
from training.evaluate import main as evaluate_main
from training.export import main as export_main
from training.paper.data import load_part
from training.settings import load_any_settings
from training.train import main as train_main

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("slim_networks")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("interhand")
    for split in ("train", "val", "test"):
        drawn_interhand(root, split)
    return root


def part(data: Path, **changes: Any) -> dict[str, Any]:
    return {"dataset": "interhand26m", "root": str(data)} | changes


def train(config: Path, *overrides: str) -> int:
    return train_main(["--config", str(config), *(word for o in overrides for word in ("--set", o))])


def rows(output: Path) -> list[dict[str, float]]:
    with (output / "log.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def weights(output: Path) -> dict[str, torch.Tensor]:
    content = torch.load(output / "last.pt", weights_only=True)
    return content["network"] | {f"averaged.{name}": value for name, value in content["averaged"].items()}


def assert_same(one: Path, other: Path) -> None:
    ours, theirs = weights(one), weights(other)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_internet_learns_four_samples_by_heart_and_can_be_judged(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Losses fall; weights go through export and evaluation; TensorBoard can read what happened."""
    config = write_config(tmp_path / "c.yaml", [part(data)], augmentation={})
    held_out = f"data.validation=[{{dataset: interhand26m, root: {data}, split: val, limit: 2}}]"
    assert train(config, "schedule.epochs=16", "schedule.learning_rate=0.01", "validate_every=32", held_out) == 0
    log = rows(tmp_path / "out")
    assert len(log) == 2
    assert log[-1]["train_pose"] < 0.95 * log[0]["train_pose"]
    assert log[-1]["train_hands"] < log[0]["train_hands"]
    assert {"held_out_single_px", "held_out_joint_depth_mm", "held_out_hands_right"} <= set(log[-1])
    assert list((tmp_path / "out" / "tensorboard").glob("events.out.tfevents.*"))

    exported = tmp_path / "w.safetensors"
    assert export_main(["--config", str(config), "--output", str(exported)]) == 0
    side_car = json.loads(exported.with_suffix(".json").read_text())
    assert side_car["samples"] == 64 and str(data) not in exported.with_suffix(".json").read_text()
    report = tmp_path / "figures.json"
    command = ["--dataset", "interhand26m", "--root", str(data), "--preset", "paper", "--weights", str(exported)]
    assert evaluate_main([*command, "--engine", "torch", "--precision", "fp32", "--json", str(report)]) == 0
    figures = json.loads(report.read_text())["upright"]
    assert figures["mpjpe_mm"] > 0 and figures["mrrpe_mm"] > 0
    assert export_main(["--config", str(config), "--set", f"output={tmp_path}/none", "--output", str(exported)]) == 2
    assert "no checkpoint there" in capsys.readouterr().err


def test_a_step_of_the_published_width(data: Path, tmp_path: Path) -> None:
    """All other tests here train a network of an eighth of the channels, whose checkpoints have some MB."""
    config = write_config(tmp_path / "c.yaml", [part(data)])
    exported = tmp_path / "w.safetensors"
    with slim(*PUBLISHED):
        assert train(config, "schedule.epochs=1") == 0
        assert export_main(["--config", str(config), "--output", str(exported)]) == 0
        network = read_paper(exported).internet
    fresh = {name: value.shape for name, value in network.state_dict().items()}
    assert {name: value.shape for name, value in weights(tmp_path / "out").items() if "averaged." not in name} == fresh
    assert sum(value.numel() for value in network.parameters()) > 20_000_000
    assert np.isfinite(list(rows(tmp_path / "out")[-1].values())).all()


def test_a_run_that_is_interrupted_goes_on_to_the_same_result(data: Path, tmp_path: Path) -> None:
    """A signal comes at any moment; the run ends its step, and going on is as if it had never stopped."""
    config = write_config(tmp_path / "c.yaml", [part(data)], ema_half_life=8, clip_norm=1.0)
    broken, straight = tmp_path / "broken", tmp_path / "straight"

    def interrupt() -> None:
        for _ in range(600):
            time.sleep(0.1)
            if (broken / "last.pt").exists():
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert train(config, "schedule.epochs=1000", f"output={broken}", "validate_every=8", "data.workers=1") == 130
    thread.join()
    done = int(torch.load(broken / "last.pt", weights_only=True)["samples"])
    assert 4 <= done < 4000
    epochs = f"schedule.epochs={done // 4 + 2}"
    seldom = "validate_every=1000000"
    assert train(config, epochs, seldom, f"output={broken}") == 0
    assert train(config, epochs, seldom, f"output={straight}", "data.workers=1") == 0
    assert_same(broken, straight)


def test_two_processes_have_the_loss_curve_of_one(data: Path, tmp_path: Path) -> None:
    schedule = {"epochs": 2, "learning_rate": 1.0e-4}
    config = write_config(tmp_path / "c.yaml", [part(data)], schedule=schedule)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.support.double_run", str(config), str(tmp_path / "two"), str(port)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    double_run(config, tmp_path / "one")
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert set(one) == {"pose/train", "relative_depth/train", "hands/train"}
    for name, losses in one.items():
        assert len(losses) == 2 and len(set(losses)) == 2
        assert two[name] == pytest.approx(losses, rel=1e-5), name
    ours, theirs = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, atol=1e-6, rtol=1e-5, msg=name)


def curve(output: Path) -> dict[str, list[float]]:
    """The training losses in TensorBoard's file, which has all digits."""
    events = EventAccumulator(str(output / "tensorboard")).Reload()
    names = [name for name in events.Tags()["scalars"] if name.endswith("/train")]
    return {name: [event.value for event in events.Scalars(name)] for name in names}


def test_rootnet_learns_depths_and_goes_beside_internet(data: Path, tmp_path: Path) -> None:
    root_out, pose_out = f"output={tmp_path / 'root'}", f"output={tmp_path / 'pose'}"
    root = write_config(tmp_path / "root.yaml", [part(data)], network="rootnet", augmentation={}, ema_half_life=0)
    held_out = f"data.validation=[{{dataset: interhand26m, root: {data}, split: val}}]"
    changes = (held_out, "schedule.epochs=10", "validate_every=20", "schedule.learning_rate=0.01")
    assert train(root, root_out, *changes) == 0
    log = rows(tmp_path / "root")
    assert log[-1]["train_root"] < 0.9 * log[0]["train_root"]
    pose = write_config(tmp_path / "pose.yaml", [part(data)], output=str(tmp_path / "pose"))
    assert train(pose, pose_out, "schedule.epochs=1") == 0
    values = yaml.safe_load(root.read_text()) | {"output": str(tmp_path / "root")}
    root.write_text(yaml.safe_dump(values))
    both = tmp_path / "both.safetensors"
    assert export_main(["--config", str(pose), "--rootnet", str(root), "--output", str(both)]) == 0
    networks = read_paper(both)
    assert networks.rootnet is not None and networks.rootnet.roots == 2
    torch.testing.assert_close(
        networks.rootnet.root.depth_layer.bias.detach(), weights(tmp_path / "root")["averaged.root.depth_layer.bias"]
    )
    assert export_main(["--config", str(root), "--output", str(both)]) == 2


def test_mixed_training_reads_joints_as_means(data: Path, tmp_path: Path) -> None:
    drawn_tzionas(tmp_path / "flat", 5)
    parts = [part(data), {"dataset": "tzionas", "root": str(tmp_path / "flat")}]
    config = write_config(tmp_path / "c.yaml", parts, pose_loss="coordinates", augmentation={})
    assert train(config, "schedule.epochs=8", "validate_every=16", "schedule.learning_rate=0.01") == 0
    log = rows(tmp_path / "out")
    assert log[-1]["samples"] == 64, "an epoch is one pass through the first set"
    assert log[-1]["train_pose"] < log[0]["train_pose"]
    exported = tmp_path / "w.safetensors"
    assert export_main(["--config", str(config), "--output", str(exported)]) == 0
    assert read_paper(exported).internet.mean_readout


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains_and_resumes(data: Path, tmp_path: Path, precision: str) -> None:
    config = write_config(tmp_path / "c.yaml", [part(data)], precision=precision, clip_norm=10.0)
    assert train(config, "schedule.epochs=1") == 0
    log = rows(tmp_path / "out")
    assert len(log) == 1 and np.isfinite(list(log[0].values())).all()
    before = weights(tmp_path / "out")
    assert train(config, "schedule.epochs=1") == 0  # nothing is left to do; all of the state is read and written
    state = torch.load(tmp_path / "out" / "last.pt", weights_only=True)
    assert all(torch.equal(value, before[name]) for name, value in state["network"].items())
    assert bool(state["scaler"]) == (precision == "fp16")
    assert all(value.dtype != torch.float16 for value in state["network"].values())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("network=hourglass", "choose one of lite, internet, rootnet"),
        ("data.train=[]", "at least 1"),
        ("data.train=[{dataset: webcam, root: x}]", "data.train.0.dataset"),
        ("data.train=[{dataset: tzionas, root: x}]", "takes pose_loss: coordinates"),
        ("schedule.steps=[17, 15]", "steps must rise"),
        ("trunk=/nowhere/resnet.pth", "/nowhere/resnet.pth: no such checkpoint"),
        ("device=cuda:77", "device"),
        ("schedule.learning_rate=.inf", "no number"),
        ("start=/nowhere.safetensors", "no such weights file"),
        ("data.train.0.root=/nowhere", "/nowhere"),
        ("data.train.7.root=x", "no entry of a list of 1"),
        ("batch=[", "not valid YAML"),
    ],
)
def test_mistakes_are_one_line(
    data: Path, tmp_path: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path / "c.yaml", [part(data)])
    assert train(config, override) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error


def test_parts_of_a_data_set(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path / "c.yaml", [part(data, hands="single"), part(data, hands="interacting")])
    settings = load_any_settings(config, [])
    single, interacting = (load_part(each) for each in settings.data.train)
    assert [sample.interacting for sample in single] == [False] * 2
    assert [sample.interacting for sample in interacting] == [True] * 2
    assert train(config, f"data.train=[{{dataset: interhand26m, root: {data}, subset: human}}]") == 2
    assert "id list" in capsys.readouterr().err


@pytest.mark.parametrize("config", sorted((ROOT / "training" / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_settings_file_is_valid(config: Path) -> None:
    settings = load_any_settings(config, [])
    assert settings.output.parts[:2] == ("out", "training")
    if config.stem.startswith("paper") and settings.network == "internet":
        assert (settings.batch, settings.schedule.learning_rate, settings.depth) == (64, 1.0e-4, 50)
        assert settings.schedule.steps in ([15, 17], [45, 47])
        assert settings.schedule.epochs == settings.schedule.steps[-1] + 3

"""Engines that OpenVINO runs: builds, agreement with torch, what the side-car says, and the build command."""

from __future__ import annotations

import json
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13

from engines import build
from engines.backends.opening import open_backend
from engines.build import main as build_main
from engines.building import graph as graph_module
from engines.building.openvino_files import serialised
from engines.building.sample_crops import sample_crops
from engines.building.tolerance import LIMITS_MM
from engines.cache.store import SIDECAR
from engines.contract import Backend, EngineRequest
from engines.errors import UserError
from engines.openvino_core import openvino_core
from engines.presets import weights_of
from engines.spec import LITE, OUTPUT_NAMES
from engines.verification.verify import verify
from tests.support.engines import asked_once
from tests.support.full_disk import files_no_larger_than


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def reference() -> Backend:
    """Torch in fp32, which takes a third of a second for a crop: asked once by both that are held against it."""
    return asked_once(EngineRequest(backend="torch", precision="fp32"))


def test_openvino_agrees_with_torch(cache: Path, reference: Backend) -> None:
    lines: list[str] = []
    engine = open_backend(EngineRequest(backend="openvino", precision="fp32", cache=cache), lines.append)
    report = verify(engine, reference, sample_crops(engine.input_px, count=8), timed_s=0)
    assert len(lines) == 1
    assert "building" in lines[0]
    assert report.joints_px_largest < 0.05
    assert report.joint_depth_mm_largest < 0.05
    assert report.hand_probability_largest < 1.0e-3


def test_bfloat16_moves_joints_by_less_than_a_pixel(cache: Path, reference: Backend) -> None:
    engine = open_backend(EngineRequest(backend="openvino", precision="bf16", cache=cache))
    report = verify(engine, reference, sample_crops(engine.input_px, count=8), timed_s=0)
    assert report.joints_px_mean < 1.0
    assert report.joint_depth_mm_mean < 3.0


def test_second_opening_builds_nothing_and_damage_rebuilds(cache: Path) -> None:
    request = EngineRequest(backend="openvino", precision="fp32", cache=cache)
    open_backend(request)
    lines: list[str] = []
    open_backend(request, lines.append)
    assert lines == []
    for file in cache.glob("*/engine.bin"):
        file.write_bytes(file.read_bytes()[:-100])
    open_backend(request, lines.append)
    assert len(lines) == 1


def test_batches_that_were_not_compiled_are_refused(cache: Path) -> None:
    engine = open_backend(EngineRequest(backend="openvino", precision="fp32", cache=cache))
    with pytest.raises(UserError, match="batch of 3"):
        engine(np.zeros((3, engine.input_px, engine.input_px, 3), np.uint8))


def test_openvino_on_a_full_disk_is_one_line() -> None:
    """No file may grow beyond 50 kB: OpenVINO, which writes by itself, fails half-way, as where a disk is full."""
    crops = opset13.parameter([1, 100], np.float32)
    weights = opset13.constant(np.ones((100, 1000), np.float32))
    model = ov.Model([opset13.matmul(crops, weights, False, False)], [crops])
    with files_no_larger_than(50_000), pytest.raises(UserError, match=r"cannot be written there.*set TMPDIR") as told:
        serialised(model)
    assert "\n" not in str(told.value)


def test_sidecar_says_what_the_engine_is(cache: Path) -> None:
    open_backend(EngineRequest(backend="openvino", precision="fp32", cache=cache))
    (path,) = [path for path in cache.glob(f"*/{SIDECAR}") if '"fp32"' in path.read_text()]
    facts = json.loads(path.read_text())
    assert facts["input"]["crops_bgr"] == ["batch", LITE.input_px, LITE.input_px, 3]
    assert facts["outputs"] == list(OUTPUT_NAMES)
    assert facts["versions"]["openvino"] == version("openvino")
    assert facts["build_s"] > 0


def test_onnx_is_the_graph_that_the_engine_is_made_of(cache: Path, tmp_path: Path) -> None:
    """OpenVINO computes in bf16 by itself, on the graph of fp32, whose weights it keeps as bf16."""
    file = tmp_path / "graph.onnx"
    arguments = ["--backend", "openvino", "--precision", "bf16", "--output", str(cache), "--no-verify"]
    assert build_main([*arguments, "--onnx", str(file)]) == 0
    (plan,) = [path.parent for path in cache.glob(f"*/{SIDECAR}") if '"bf16"' in path.read_text()]
    assert file.stat().st_size == pytest.approx(2 * (plan / "engine.bin").stat().st_size, rel=0.2)
    assert file.read_bytes() == graph_module.onnx_graph("lite", weights_of("lite", None))
    assert b".py" not in file.read_bytes(), "the exporter's stacks name the folders of whoever exported"


def test_the_graph_takes_any_number_of_crops() -> None:
    """Tracing writes sizes down as they are in its example, which has two: none of the batch may be among them."""
    model = openvino_core().read_model(graph_module.onnx_graph("lite", weights_of("lite", None)))
    for count in (1, 3):
        model.reshape([count, LITE.input_px, LITE.input_px, 3])
        assert [output.shape[0] for output in model.outputs] == [count] * len(OUTPUT_NAMES)


def test_build_command_verifies(cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(build, "verify", partial(verify, timed_s=0.1))
    monkeypatch.setattr(build, "sample_crops", partial(sample_crops, count=4))
    arguments = ["--backend", "openvino", "--precision", "fp32", "--output", str(cache)]
    assert build_main(arguments) == 0
    assert "joints_px_largest" in capsys.readouterr().out
    (path,) = [path for path in cache.glob(f"*/{SIDECAR}") if '"fp32"' in path.read_text()]
    kept = json.loads(path.read_text())["verification"]
    assert kept["crops"] == 4
    assert len(sample_crops(32)) == 32, "of so many else"
    assert kept["joints_mm_mean"] < 0.1
    assert kept["latency_p50_ms"] > 0
    monkeypatch.setitem(LIMITS_MM, "fp32", -1.0)
    assert build_main(arguments) == 2
    assert "fp32 may bring" in capsys.readouterr().err
    assert build_main([*arguments, "--no-verify"]) == 0
    assert "joints_px_largest" not in capsys.readouterr().out
    assert build_main(["--weights", "no/such.safetensors"]) == 2
    assert "no/such.safetensors" in capsys.readouterr().err

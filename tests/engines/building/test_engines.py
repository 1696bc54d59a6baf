"""Weights, engines and their cache: builds, agreement with torch, damage, and two builds at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import struct
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.backends.opening import open_backend
from engines.build import main as build_main
from engines.building import graph as graph_module
from engines.building.sample_crops import sample_crops
from engines.building.tolerance import LIMITS_MM
from engines.cache.key import engine_key
from engines.cache.store import SIDECAR, find_engine, store_engine, why_not_cached
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.lite import Lite
from engines.presets import weights_of
from engines.spec import LITE, OUTPUT_NAMES
from engines.verification.comparison import differences
from engines.verification.verify import verify


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_openvino_agrees_with_torch(cache: Path) -> None:
    lines: list[str] = []
    engine = open_backend(EngineRequest(backend="openvino", precision="fp32", cache=cache), lines.append)
    reference = open_backend(EngineRequest(backend="torch", precision="fp32"))
    report = verify(engine, reference, sample_crops(engine.input_px, count=8))
    assert len(lines) == 1
    assert "building" in lines[0]
    assert report.joints_px_largest < 0.05
    assert report.joint_depth_mm_largest < 0.05
    assert report.hand_probability_largest < 1.0e-3


def test_bfloat16_moves_joints_by_less_than_a_pixel(cache: Path) -> None:
    engine = open_backend(EngineRequest(backend="openvino", precision="bf16", cache=cache))
    reference = open_backend(EngineRequest(backend="torch", precision="fp32"))
    report = verify(engine, reference, sample_crops(engine.input_px, count=8))
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


def _store(cache: Path, number: int) -> None:
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    for _ in range(20):
        store_engine(cache, key, {"engine.bin": bytes([number]) * 100_000}, {})


def test_two_processes_that_build_at_once_leave_a_whole_engine(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_store, args=(tmp_path, n)) for n in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    folder = find_engine(tmp_path, key)
    assert folder is not None
    assert len(set((folder / "engine.bin").read_bytes())) == 1
    assert not list(tmp_path.glob(".building-*"))


def test_an_engine_that_another_process_loads_is_not_replaced(tmp_path: Path) -> None:
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    folder = store_engine(tmp_path, key, {"engine.bin": b"first"}, {})
    place = (folder / "engine.bin").stat().st_ino
    assert store_engine(tmp_path, key, {"engine.bin": b"second"}, {}) == folder
    assert (folder / "engine.bin").stat().st_ino == place
    (folder / "engine.bin").write_bytes(b"damaged")
    store_engine(tmp_path, key, {"engine.bin": b"third"}, {})
    assert (folder / "engine.bin").read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("damage", ["cut", "missing file", "no side-car", "side-car cut", "another key"])
def test_damage_of_any_kind_is_found(tmp_path: Path, damage: str) -> None:
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    folder = store_engine(tmp_path, key, {"engine.bin": b"content"}, {})
    assert find_engine(tmp_path, key) == folder
    sidecar = folder / SIDECAR
    if damage == "cut":
        (folder / "engine.bin").write_bytes(b"cont")
    elif damage == "missing file":
        (folder / "engine.bin").unlink()
    elif damage == "no side-car":
        sidecar.unlink()
    elif damage == "side-car cut":
        sidecar.write_text(sidecar.read_text()[:50])
    else:
        sidecar.write_text(sidecar.read_text().replace("fp32", "bf16"))
    assert find_engine(tmp_path, key) is None
    assert why_not_cached(tmp_path, key) == "the one in the cache is damaged"


def _store_on_a_full_disk(cache: Path, told: Path) -> None:
    """No file may grow beyond 50 kB: writing fails half-way, as where a disk is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    try:
        store_engine(cache, key, {"small.bin": bytes(100), "engine.bin": bytes(100_000)}, {})
    except UserError as error:
        told.write_text(str(error))


def test_a_full_disk_is_one_line_and_leaves_no_half_engine(tmp_path: Path) -> None:
    cache, told = tmp_path / "cache", tmp_path / "told"
    worker = multiprocessing.get_context("fork").Process(target=_store_on_a_full_disk, args=(cache, told))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert "engine cache cannot be written" in told.read_text()
    assert "\n" not in told.read_text()
    assert not list(cache.iterdir())


def test_what_killed_builds_left_is_swept_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / ".building-old", tmp_path / ".building-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "engine.bin").write_bytes(bytes(1000))
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    _store(tmp_path, 1)
    assert not old.exists()
    assert new.exists()


def _serialise_on_a_full_disk(told: Path) -> None:
    """As above, for OpenVINO, which writes by itself."""
    import openvino as ov
    from openvino import opset13

    from engines.building.openvino_files import serialised

    crops = opset13.parameter([1, 100], np.float32)
    weights = opset13.constant(np.ones((100, 1000), np.float32))
    model = ov.Model([opset13.matmul(crops, weights, False, False)], [crops])
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        serialised(model)
    except UserError as error:
        told.write_text(str(error))


def test_openvino_on_a_full_disk_is_one_line(tmp_path: Path) -> None:
    told = tmp_path / "told"
    worker = multiprocessing.get_context("fork").Process(target=_serialise_on_a_full_disk, args=(told,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert "cannot be written there" in told.read_text()
    assert "set TMPDIR" in told.read_text()
    assert "\n" not in told.read_text()


def test_sidecar_says_what_the_engine_is(cache: Path) -> None:
    open_backend(EngineRequest(backend="openvino", precision="fp32", cache=cache))
    (path,) = [path for path in cache.glob(f"*/{SIDECAR}") if '"fp32"' in path.read_text()]
    facts = json.loads(path.read_text())
    assert facts["input"]["crops_bgr"] == ["batch", LITE.input_px, LITE.input_px, 3]
    assert facts["outputs"] == list(OUTPUT_NAMES)
    assert facts["versions"]["openvino"] == version("openvino")
    assert facts["build_s"] > 0


def test_any_difference_is_another_key() -> None:
    key = engine_key("lite", "openvino", "1", "fp32", (1, 2), Path(__file__), "cpu")
    others = [replace(key, precision="bf16"), replace(key, runtime_version="2"), replace(key, weights_sha256="0")]
    assert len({key.digest(), *(other.digest() for other in others)}) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="engine cache cannot be written"):
        store_engine(tmp_path / "x", engine_key("l", "t", "1", "p", (1,), Path(__file__), "c"), {"a": b""}, {})


def test_weights_survive_a_round_trip_in_half_precision(tmp_path: Path) -> None:
    network, copy = Lite(), Lite()
    save_weights(network, tmp_path / "w.safetensors", {"samples": 0})
    load_weights(copy, tmp_path / "w.safetensors")
    for name, value in network.state_dict().items():
        torch.testing.assert_close(copy.state_dict()[name], value, atol=1.0e-2, rtol=1.0e-2)
    assert (tmp_path / "w.safetensors").stat().st_size < 12_000_000


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


def _answers(shift_px: float = 0.0, shift_mm: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    answers = {
        "joints_crop_px": rng.uniform(0, 192, (3, 42, 2)) + (shift_px, 0),
        "joint_depth_mm": rng.uniform(-100, 100, (3, 42)) + shift_mm,
        "joint_confidence": rng.uniform(0, 1, (3, 42)),
        "hand_probability": np.ones((3, 2)),
        "left_minus_right_root_mm": np.zeros((3, 1)),
        "root_depth_factor": np.full((3, 2), 0.64),
    }
    return {name: value.astype(np.float32) for name, value in answers.items()}


def test_differences_are_distances_in_space() -> None:
    """A crop of gamma 0.64 is 0.64 * 300 mm wide: at 192 px a pixel is a millimetre."""
    found = differences(_answers(shift_px=3.0, shift_mm=4.0), _answers(), 192)
    assert found.joints_mm_mean == pytest.approx(5.0, abs=1e-3)
    assert found.joints_px_mean == pytest.approx(3.0, abs=1e-3)
    assert found.joint_depth_mm_mean == pytest.approx(4.0, abs=1e-3)
    assert found.root_mm_largest == found.confidence_largest == 0


def test_a_batch_may_be_larger_than_the_set_of_crops() -> None:
    engine = open_backend(EngineRequest(backend="torch", precision="fp32", batches=(3,)))
    report = verify(engine, engine, sample_crops(engine.input_px, count=2), (3,), timed_s=0.0)
    assert report.crops == 3
    assert report.joints_mm_mean == 0


def test_onnx_is_the_graph_that_the_engine_is_made_of(cache: Path, tmp_path: Path) -> None:
    """OpenVINO computes in bf16 by itself, on the graph of fp32."""
    file = tmp_path / "graph.onnx"
    arguments = ["--backend", "openvino", "--precision", "bf16", "--output", str(cache), "--no-verify"]
    assert build_main([*arguments, "--onnx", str(file)]) == 0
    (plan,) = [path.parent for path in cache.glob(f"*/{SIDECAR}") if '"bf16"' in path.read_text()]
    assert file.stat().st_size == pytest.approx((plan / "engine.bin").stat().st_size, rel=0.2)
    assert file.read_bytes() == graph_module.onnx_graph("lite", weights_of("lite", None))


def test_build_command_verifies(cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    arguments = ["--backend", "openvino", "--precision", "fp32", "--output", str(cache)]
    assert build_main(arguments) == 0
    assert "joints_px_largest" in capsys.readouterr().out
    (path,) = [path for path in cache.glob(f"*/{SIDECAR}") if '"fp32"' in path.read_text()]
    kept = json.loads(path.read_text())["verification"]
    assert kept["crops"] == 32
    assert kept["joints_mm_mean"] < 0.1
    assert kept["latency_p50_ms"] > 0
    monkeypatch.setitem(LIMITS_MM, "fp32", -1.0)
    assert build_main(arguments) == 2
    assert "fp32 may bring" in capsys.readouterr().err
    assert build_main([*arguments, "--no-verify"]) == 0
    assert "joints_px_largest" not in capsys.readouterr().out
    assert build_main(["--weights", "no/such.safetensors"]) == 2
    assert "no/such.safetensors" in capsys.readouterr().err

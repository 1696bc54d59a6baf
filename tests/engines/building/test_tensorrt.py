"""TensorRT: engines that TensorRT-RTX builds without a GPU, and what is said where one cannot be used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

from engines.backends.gpu import nvidia_gpu
from engines.backends.opening import open_backend
from engines.backends.tensorrt_engine import PLAN_FILE, ensure_engine
from engines.build import main as build_main
from engines.building.sample_crops import sample_crops
from engines.building.tensorrt_package import load_tensorrt
from engines.building.tolerance import LIMITS_MM
from engines.cache.key import EngineKey, engine_key
from engines.cache.store import SIDECAR, find_engine, find_engine_among, store_engine, why_not_cached
from engines.contract import EngineRequest
from engines.errors import BackendUnavailable, UserError
from engines.installed import is_installed
from engines.networks.internet import InterNet
from engines.presets import WITNESS_WEIGHTS, spec_of, weights_of
from engines.spec import LITE, OUTPUT_NAMES
from tests.support.paper_weights import small_paper
from tests.support.slim_networks import PUBLISHED, half_width, slim  # noqa: F401  pytest finds the fixture here

needs_rtx = pytest.mark.skipif(
    not is_installed("tensorrt_rtx"), reason="tensorrt_rtx is not installed (make setup EXTRAS=rtx)"
)
needs_no_gpu = pytest.mark.skipif(nvidia_gpu() is not None, reason="an NVIDIA GPU is here")


pytestmark = pytest.mark.usefixtures("half_width")


@pytest.fixture(scope="module")
def weights(half_width: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """Weights of each preset; depth and width of the trunk matter to neither graph nor builder."""
    paper = small_paper(tmp_path_factory.mktemp("weights") / "paper.safetensors")
    return {"lite": weights_of("lite", None), "paper": paper}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@needs_rtx
@pytest.mark.parametrize(("preset", "precision"), [("lite", "fp16"), ("lite", "fp32"), ("paper", "fp16")])
def test_rtx_engines_build_without_a_gpu(
    weights: dict[str, Path], cache: Path, preset: str, precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(cache.iterdir())
    arguments = ["--backend", "tensorrt_rtx", "--preset", preset, "--weights", str(weights[preset])]
    arguments += ["--precision", precision, "--target", "sm80,sm89", "--output", str(cache)]
    file = cache.parent / f"{preset}-{precision}.onnx"
    assert build_main([*arguments, "--onnx", str(file)] if preset == "lite" else arguments) == 0
    (folder,) = set(cache.iterdir()) - before
    if preset == "lite":
        kinds = {value.data_type for value in onnx.load(file).graph.initializer if len(value.dims) == 4}
        assert kinds == {onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.FLOAT}
    plan, sidecar = folder / PLAN_FILE, json.loads((folder / SIDECAR).read_text())
    witnessed = weights["lite"].stat().st_size + WITNESS_WEIGHTS.stat().st_size
    halved = witnessed if preset == "lite" else weights["paper"].stat().st_size / 2
    # RootNet's upsampling, and nothing else, is left out; lite's depth heads and attention are fp32 in both.
    assert 0.6 * halved < plan.stat().st_size / (1 if precision == "fp16" else 2) < 2.7 * halved
    size = spec_of(preset).input_px
    assert sidecar["input"] == {"crops_bgr": ["batch", size, size, 3], "dtype": "uint8"}
    assert sidecar["outputs"] == list(OUTPUT_NAMES)
    assert sidecar["profiles"] == [1, 2]
    assert sidecar["key"]["precision"] == precision
    assert sidecar["key"]["device"] == "sm80,sm89"
    assert sidecar["key"]["runtime_version"] == load_tensorrt("tensorrt_rtx").version
    assert sidecar["build_s"] > 0
    assert "building" in capsys.readouterr().out
    assert build_main(arguments) == 0
    assert "building" not in capsys.readouterr().out


@needs_rtx
def test_rtx_builds_the_released_snapshot_as_it_is(tmp_path: Path) -> None:
    """InterNet alone, on the published ResNet-50, of the published width."""
    with slim(*PUBLISHED), torch.random.fork_rng():
        torch.manual_seed(0)  # always the same file, so that its graph is exported once and kept once, 95 MB
        networks = InterNet(50)
    state = {f"module.{name}": value for name, value in networks.state_dict().items()}
    torch.save({"epoch": 20, "network": state}, tmp_path / "snapshot_20.pth.tar")
    arguments = ["--backend", "tensorrt_rtx", "--preset", "paper", "--weights", str(tmp_path / "snapshot_20.pth.tar")]
    arguments += ["--precision", "fp16", "--target", "sm89", "--batch", "2", "--output", str(tmp_path / "cache")]
    with slim(*PUBLISHED):
        assert build_main(arguments) == 0
    (plan,) = (tmp_path / "cache").glob(f"*/{PLAN_FILE}")
    assert plan.stat().st_size == pytest.approx(2 * sum(value.numel() for value in state.values()), rel=0.3)


@needs_rtx
@pytest.mark.skipif(not is_installed("nncf"), reason="nncf is not installed (make setup EXTRAS=int8)")
def test_rtx_builds_int8_without_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS_MM, "int8", 20.0)
    for k, crop in enumerate(sample_crops(LITE.input_px, count=8)):
        cv2.imwrite(str(tmp_path / f"{k}.png"), crop)
    request = EngineRequest("lite", None, "tensorrt_rtx", "int8", calibration=tmp_path)
    request = replace(request, cache=tmp_path / "cache", batches=(2,), targets=("sm89",))
    folder, key = ensure_engine("tensorrt_rtx", request, weights_of("lite", None), print)
    assert key.precision == "int8"
    assert key.calibration_sha256
    assert json.loads((folder / SIDECAR).read_text())["outputs"] == list(OUTPUT_NAMES)
    assert (folder / PLAN_FILE).stat().st_size > 1_000_000


@needs_rtx
def test_network_that_tensorrt_parses_has_our_inputs_and_outputs(weights: dict[str, Path]) -> None:
    from engines.building.graph import onnx_graph

    tensorrt = load_tensorrt("tensorrt_rtx")
    trt = tensorrt.package
    network = trt.Builder(tensorrt.logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, tensorrt.logger)
    assert parser.parse(onnx_graph("paper", weights["paper"], "fp16"))
    crops = network.get_input(0)
    assert (crops.name, crops.dtype, tuple(crops.shape)) == ("crops_bgr", trt.uint8, (-1, 256, 256, 3))
    outputs = {network.get_output(k).name: network.get_output(k) for k in range(network.num_outputs)}
    assert tuple(outputs) == OUTPUT_NAMES
    assert {tensor.dtype for tensor in outputs.values()} == {trt.float32}
    assert {name: tuple(tensor.shape)[1:] for name, tensor in outputs.items()} == {
        "joints_crop_px": (42, 2),
        "joint_depth_mm": (42,),
        "joint_confidence": (42,),
        "hand_probability": (2,),
        "left_minus_right_root_mm": (1,),
        "root_depth_factor": (2,),
    }
    kinds = {network.get_layer(k).type for k in range(network.num_layers)}
    widths = [
        tuple(network.get_layer(k).get_input(0).shape)
        for k in range(network.num_layers)
        if network.get_layer(k).type == trt.LayerType.TOPK
    ]
    assert trt.LayerType.CONVOLUTION in kinds
    assert widths, "the maxima of 64 slices are searched by a TopK"
    assert all(max(shape) <= 64 for shape in widths)


@needs_rtx
def test_an_engine_for_more_gpus_serves_one_of_them_until_it_is_damaged(weights: dict[str, Path], cache: Path) -> None:
    request = EngineRequest("paper", backend="tensorrt_rtx", precision="fp16", cache=cache)
    lines: list[str] = []
    both = replace(request, targets=("sm89", "sm80"))
    folder, key = ensure_engine("tensorrt_rtx", both, weights["paper"], lines.append)
    lines.clear()
    one, _ = ensure_engine("tensorrt_rtx", replace(request, targets=("sm89",)), weights["paper"], lines.append)
    assert one == folder
    assert not lines
    (folder / PLAN_FILE).write_bytes(b"half")
    again, _ = ensure_engine("tensorrt_rtx", both, weights["paper"], lines.append)
    assert "damaged" in lines[0]
    assert again == find_engine(cache, key) == folder


@needs_rtx
@needs_no_gpu
def test_what_rtx_cannot_do_here_is_one_line(weights: dict[str, Path], tmp_path: Path) -> None:
    request = EngineRequest("paper", weights["paper"], "tensorrt_rtx", cache=tmp_path)
    with pytest.raises(BackendUnavailable, match=r"needs an NVIDIA GPU.*choose --engine openvino"):
        open_backend(request)
    with pytest.raises(UserError, match="cannot build for sm90; it knows sm75, sm80"):
        ensure_engine("tensorrt_rtx", replace(request, targets=("sm90",)), weights["paper"], print)
    with pytest.raises(UserError, match="runs in fp16, fp32 or int8"):
        ensure_engine("tensorrt_rtx", replace(request, precision="bf16"), weights["paper"], print)
    # Turing has no FP32 matrix multiplication in TensorRT-RTX: its own words reach the user.
    turing = replace(request, preset="lite", targets=("sm75",), precision="fp32")
    with pytest.raises(UserError, match=r"cannot build the engine: .*SM75") as error:
        ensure_engine("tensorrt_rtx", turing, weights["lite"], print)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@needs_rtx
def test_rtx_has_what_is_asked_of_it_with_hasattr() -> None:
    """A name that is spelt wrongly would be passed over in silence."""
    trt = load_tensorrt("tensorrt_rtx").package
    assert hasattr(trt.IRuntimeConfig, "dynamic_shapes_kernel_specialization_strategy")
    assert hasattr(trt.DynamicShapesKernelSpecializationStrategy, "EAGER")
    assert hasattr(trt.CudaGraphStrategy, "WHOLE_GRAPH_CAPTURE")
    assert hasattr(trt, "IRuntimeCache")
    assert hasattr(trt.BuilderFlag, "TF32")


@needs_no_gpu
def test_build_command_says_what_stands_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ["--output", str(tmp_path)]
    assert build_main(["--backend", "tensorrt", *output]) == 2
    wanted = "NVIDIA GPU" if is_installed("tensorrt") else "make setup EXTRAS=tensorrt, or choose --engine openvino"
    assert wanted in capsys.readouterr().err
    assert build_main(["--backend", "openvino", "--target", "sm89", *output]) == 2
    assert "--target is for backend tensorrt_rtx" in capsys.readouterr().err


@needs_no_gpu
@pytest.mark.skipif(not is_installed("openvino"), reason="openvino is not installed")
def test_auto_takes_what_runs_here_and_says_so() -> None:
    lines: list[str] = []
    engine = open_backend(EngineRequest(), lines.append)
    assert engine.name == "openvino"
    said = any("cannot run: taking openvino" in line for line in lines)
    assert said == (is_installed("tensorrt_rtx") or is_installed("tensorrt"))
    assert engine(np.zeros((1, engine.input_px, engine.input_px, 3), np.uint8))["joints_crop_px"].shape == (1, 42, 2)


def _key(**changes: str) -> EngineKey:
    return replace(engine_key("lite", "tensorrt_rtx", "1.7", "fp16", (1, 2), Path(__file__), "sm89"), **changes)


def test_a_rebuild_says_what_has_changed(tmp_path: Path) -> None:
    assert why_not_cached(tmp_path, _key()) == "once"
    store_engine(tmp_path, _key(), {"engine.plan": b"plan"}, {})
    assert "differs in runtime version" in why_not_cached(tmp_path, _key(runtime_version="1.8"))
    assert "differs in weights" in why_not_cached(tmp_path, _key(weights_sha256="0"))
    assert why_not_cached(tmp_path, _key(preset="paper")) == "once"


def test_only_the_device_may_differ(tmp_path: Path) -> None:
    folder = store_engine(tmp_path, _key(device="sm80,sm89"), {"engine.plan": b"plan"}, {})
    assert find_engine_among(tmp_path, _key(), lambda built_for: "sm89" in built_for) == folder
    assert find_engine_among(tmp_path, _key(precision="fp32"), lambda built_for: True) is None
    assert find_engine_among(tmp_path, _key(), lambda built_for: False) is None


@needs_no_gpu
def test_a_precision_that_nothing_here_has_is_one_line(tmp_path: Path) -> None:
    for backend in ("openvino", "torch", "auto"):
        with pytest.raises(UserError, match="choose --precision") as error:
            open_backend(EngineRequest(backend=backend, precision="fp16", cache=tmp_path))
        assert "\n" not in str(error.value)

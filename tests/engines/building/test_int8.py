"""INT8: calibration crops, quantised graphs for OpenVINO and TensorRT, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from engines.backends.opening import open_backend
from engines.build import main as build_main
from engines.building import graph as graph_module
from engines.building.calibration import calibration_crops, calibration_sha256
from engines.building.qdq import PAIRS, network_part
from engines.building.sample_crops import SAMPLE_CLIP, sample_crops
from engines.building.tolerance import LIMITS_MM
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.installed import is_installed
from engines.openvino_core import openvino_core
from engines.presets import weights_of
from engines.spec import LITE, OUTPUT_NAMES
from engines.verification.comparison import differences

INPUT_PX = LITE.input_px
needs_int8 = pytest.mark.skipif(
    not (is_installed("nncf") and is_installed("onnxruntime")), reason="nncf is not installed (make setup EXTRAS=int8)"
)


@pytest.fixture(scope="module")
def crops() -> NDArray[np.uint8]:
    """Every second one calibrates, the others judge."""
    return sample_crops(INPUT_PX, count=8)


@pytest.fixture(scope="module")
def graph() -> bytes:
    return graph_module.onnx_graph("lite", weights_of("lite", None))


@pytest.fixture(scope="module")
def quantised(graph: bytes, crops: NDArray[np.uint8]) -> bytes:
    if not is_installed("nncf"):
        pytest.skip("nncf is not installed (make setup EXTRAS=int8)")
    from engines.building.int8 import quantised_graph

    return quantised_graph(graph, crops, limit_mm=20.0)


def answers(graph: bytes, crops: np.ndarray) -> dict[str, np.ndarray]:
    """In OpenVINO: ONNX Runtime's optimiser reads scales in half precision wrongly."""

    core = openvino_core()
    model = core.read_model(graph)
    model.reshape([len(crops), INPUT_PX, INPUT_PX, 3])
    request = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    request.infer([crops])
    return {name: request.get_output_tensor(k).data.copy() for k, name in enumerate(OUTPUT_NAMES)}


def test_most_layers_compute_in_int8_and_the_readout_does_not(graph: bytes, quantised: bytes) -> None:
    before, after = onnx.load_from_string(graph), onnx.load_from_string(quantised)
    makers = {name: node for node in after.graph.node for name in node.output}
    layers = [node for node in after.graph.node if node.op_type in {"Conv", "Gemm"}]
    in_int8 = [node for node in layers if all(makers[name].op_type in PAIRS for name in node.input[:2])]
    assert len(in_int8) > 0.7 * len(layers)
    readout = {node.name for node in before.graph.node} - network_part(before)
    assert any("oftmax" in node.op_type for node in before.graph.node if node.name in readout)
    for node in after.graph.node:
        if node.name in readout and node.op_type not in PAIRS:
            assert not any(name in makers and makers[name].op_type in PAIRS for name in node.input), node.name


@needs_int8
def test_tensorrt_gets_signed_pairs_in_half_precision_that_were_judged(
    graph: bytes, quantised: bytes, crops: NDArray[np.uint8]
) -> None:
    from engines.building.int8 import halved_graph, onnx_answers, quantised_graph

    lines: list[str] = []
    signed = quantised_graph(graph, crops, lines.append, limit_mm=20.0, signed_only=True)
    prepared = halved_graph(signed)
    model = onnx.load_from_string(prepared)
    values = {value.name: value.data_type for value in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in PAIRS]
    assert {values[node.input[2]] for node in pairs} <= {onnx.TensorProto.INT8, onnx.TensorProto.INT32}
    assert {values[node.input[1]] for node in pairs} == {onnx.TensorProto.FLOAT16}
    outputs = {output.name: output.type.tensor_type.elem_type for output in model.graph.output}
    assert outputs == dict.fromkeys(OUTPUT_NAMES, onnx.TensorProto.FLOAT)
    judged = crops[1::2]
    (figure,) = (re.findall(r"move by (\d+\.\d+) mm", line)[0] for line in lines)
    # In the runtime that judges: the graph with unsigned activations has another figure.
    told = onnx_answers(graph, judged)
    plain, ours = (differences(onnx_answers(g, judged), told, INPUT_PX) for g in (quantised, signed))
    assert figure == f"{ours.joints_mm_mean:.2f}" != f"{plain.joints_mm_mean:.2f}"
    whole, half = (differences(answers(g, judged), told, INPUT_PX) for g in (signed, prepared))
    assert half.joints_mm_mean == pytest.approx(whole.joints_mm_mean, rel=0.3)


@pytest.fixture
def folder(crops: NDArray[np.uint8], tmp_path: Path) -> Path:
    """The same crops as a user's own."""
    folder = tmp_path / "crops"
    folder.mkdir()
    for k, crop in enumerate(crops):
        cv2.imwrite(str(folder / f"{k}.png"), crop)
    return folder


@needs_int8
def test_an_engine_is_kept_and_depends_on_its_calibration(
    crops: NDArray[np.uint8], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS_MM, "int8", 20.0)
    request = EngineRequest(
        backend="openvino", precision="int8", cache=tmp_path / "cache", batches=(1,), calibration=folder
    )
    lines: list[str] = []
    engine = open_backend(request, lines.append)
    assert engine.precision == "int8"
    assert any("joints move by" in line for line in lines)
    whole = open_backend(EngineRequest(backend="openvino", precision="fp32"))
    assert 0 < np.abs(engine(crops[:1])["joints_crop_px"] - whole(crops[:1])["joints_crop_px"]).mean() < 20
    lines.clear()
    open_backend(request, lines.append)
    assert not lines
    (folder / "0.png").write_bytes((folder / "1.png").read_bytes())
    monkeypatch.setattr("engines.installed.is_installed", lambda package: package != "nncf")
    with pytest.raises(UserError, match="int8 needs nncf: run make setup EXTRAS=int8"):
        open_backend(request, lines.append)
    assert "differs in calibration" in lines[0]


@needs_int8
def test_joints_that_move_too_far_are_refused_with_the_figure(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(LIMITS_MM, "int8", 0.001)
    arguments = ["--backend", "openvino", "--precision", "int8", "--calibration", str(folder)]
    assert build_main([*arguments, "--output", str(tmp_path / "cache")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(
        r"moves the joints by \d+\.\d\d mm on average over 4 crops, 0\.001 mm .* choose --precision", error
    )
    assert not list(tmp_path.glob("cache/*"))


def test_backends_that_know_no_int8_say_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not compute in int8; choose --engine"):
        open_backend(EngineRequest(backend="torch", precision="int8", cache=tmp_path))


def test_crops_come_from_the_clip_a_folder_or_a_video_with_tracks(tmp_path: Path) -> None:
    ours = calibration_crops(None, 96, count=12)
    assert ours.shape == (12, 96, 96, 3)
    for k, crop in enumerate(ours):
        cv2.imwrite(str(tmp_path / f"{k:02}.png"), np.pad(crop, ((10, 10), (0, 0), (0, 0))))
    np.testing.assert_array_equal(calibration_crops(tmp_path, 96), ours)

    video = tmp_path / "clip.mp4"
    video.write_bytes(SAMPLE_CLIP.read_bytes())
    places = np.full((20, 2, 4), np.nan)
    places[::2, 0] = (320.0, 240.0, 192.0, 0.0)
    np.savez(video.with_suffix(".npz"), frame_index=np.arange(20) + 100, crops_px=places)
    crops = calibration_crops(video, 192)
    capture = cv2.VideoCapture(str(SAMPLE_CLIP))
    pictures = [capture.read()[1] for _ in range(101)]
    assert len(crops) == 10
    np.testing.assert_allclose(crops[0][:191, :191].astype(int), _mean_of_four(pictures[100]), atol=2)


def _mean_of_four(picture: np.ndarray) -> np.ndarray:
    """Centre (320, 240) lies between four pixels of a crop of even side: each of its pixels is the mean of four."""
    whole = picture.astype(float)
    mean = (whole[:-1, :-1] + whole[1:, :-1] + whole[:-1, 1:] + whole[1:, 1:]) / 4
    return mean[144:335, 224:415]


def test_what_cannot_calibrate_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too few"):
        calibration_crops(tmp_path, 96)
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(UserError, match=r"no.png: is no picture"):
        calibration_crops(tmp_path, 96)
    with pytest.raises(UserError, match="no such file; --calibration takes"):
        calibration_sha256(tmp_path / "clip.mp4")
    (tmp_path / "clip.mp4").touch()
    np.savez(tmp_path / "clip.npz", frame_index=np.arange(3), crops_px=np.zeros((2, 2, 4)))
    with pytest.raises(UserError, match="is no track file"):
        calibration_crops(tmp_path / "clip.mp4", 96)
    assert build_main(["--calibration", str(tmp_path), "--precision", "fp32"]) == 2

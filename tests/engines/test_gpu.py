"""Networks on an NVIDIA GPU: what a captured graph replays, crops cut there, and TensorRT where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.eager import EagerTorch
from benchmarks.smooth_weights import smooth_paper
from engines.backends.opening import open_backend
from engines.backends.torch_backend import TorchBackend
from engines.building.sample_crops import SAMPLE_CLIP, read_frames, sample_crops
from engines.contract import BackendName, EngineRequest, Precision
from engines.errors import BackendUnavailable, UserError
from engines.geometry.crop import Crop, extract
from engines.geometry.device_cutting import DeviceCutter
from engines.installed import is_installed
from engines.networks.paper import write_paper
from engines.presets import spec_of, weights_of
from engines.spec import LITE, PAPER
from engines.verification.verify import verify

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU, or torch without CUDA")
PRESETS = ("lite", "paper")
CROPS = (Crop((300.0, 220.0), 250.0, 0.4), Crop((400.0, 260.0), 700.0, -0.3))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("weights") / "paper.safetensors"
    write_paper(smooth_paper(18), path, {})
    return {"lite": weights_of("lite", None), "paper": path}


def _engine(preset: str, weights: dict[str, Path], precision: Precision = "fp32") -> TorchBackend:
    return TorchBackend(EngineRequest(preset, precision=precision), weights[preset])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_replayed_graph_says_what_eager_torch_says_of_each_picture(
    preset: str, batch: int, weights: dict[str, Path]
) -> None:
    engine, eager = _engine(preset, weights), EagerTorch(preset, weights[preset], "fp32")
    crops = sample_crops(engine.input_px, count=4)
    answers = []
    for start in (0, 2, 0, 1):  # a stale replay would give the picture before
        given = crops[start : start + batch]
        answers.append({name: value.copy() for name, value in engine(given).items()})
        for name, wanted in eager(given).items():
            np.testing.assert_allclose(answers[-1][name], wanted, rtol=1e-3, atol=0.05, err_msg=name)
    for name, value in answers[0].items():
        np.testing.assert_array_equal(answers[2][name], value)
    assert np.abs(answers[0]["joints_crop_px"] - answers[1]["joints_crop_px"]).max() > 1.0


@pytest.mark.parametrize("preset", PRESETS)
def test_half_precision_is_near(preset: str, weights: dict[str, Path]) -> None:
    engine = _engine(preset, weights, "fp16")
    report = verify(engine, _engine(preset, weights), sample_crops(engine.input_px, count=8), timed_s=0.0)
    assert 0 < report.joints_px_mean < 1.0
    assert report.joint_depth_mm_mean < 1.0


@pytest.mark.parametrize("size_px", [LITE.input_px, PAPER.input_px])
def test_crops_are_cut_on_the_gpu_as_on_the_cpu(size_px: int) -> None:
    cut = DeviceCutter(torch.device("cuda"), size_px, 2)
    for picture in read_frames(SAMPLE_CLIP, {100, 150}).values():
        for image in (picture, picture[:300]):  # another size takes new buffers
            ours = cut(image, CROPS).cpu().numpy().astype(int)
            theirs = np.stack([extract(image, crop, size_px) for crop in CROPS])
            assert np.abs(ours - theirs).mean() < 2.0


@pytest.mark.parametrize("preset", PRESETS)
def test_crops_that_never_leave_the_gpu_give_the_same_joints(preset: str, weights: dict[str, Path]) -> None:
    engine = _engine(preset, weights)
    for picture in read_frames(SAMPLE_CLIP, {100, 150}).values():
        on_gpu = engine.cut(picture, CROPS)
        assert on_gpu.device.type == "cuda"
        ours = {name: value.copy() for name, value in engine(on_gpu).items()}
        theirs = engine(np.stack([extract(picture, crop, engine.input_px) for crop in CROPS]))
        assert np.abs(ours["joints_crop_px"] - theirs["joints_crop_px"]).mean() < 1.0


def test_batches_that_were_not_captured_are_refused(weights: dict[str, Path]) -> None:
    size = spec_of("lite").input_px
    with pytest.raises(UserError, match=r"batch of 3 crops was not compiled; use \(1, 2\)"):
        _engine("lite", weights)(np.zeros((3, size, size, 3), np.uint8))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
def test_tensorrt_agrees_with_torch(
    backend: BackendName, preset: str, weights: dict[str, Path], tmp_path: Path
) -> None:
    if not is_installed(backend):
        pytest.skip(f"{backend} is not installed")
    request = EngineRequest(preset, weights[preset], backend, "fp32", cache=tmp_path)
    try:
        engine = open_backend(request)
    except BackendUnavailable as error:
        pytest.skip(str(error))
    report = verify(engine, _engine(preset, weights), sample_crops(engine.input_px, count=8), timed_s=0.0)
    report.require("fp32")
    picture = read_frames(SAMPLE_CLIP, {100})[100]
    ours = {name: value.copy() for name, value in engine(engine.cut(picture, CROPS)).items()}
    theirs = engine(np.stack([extract(picture, crop, engine.input_px) for crop in CROPS]))
    assert np.abs(ours["joints_crop_px"] - theirs["joints_crop_px"]).mean() < 1.0


def test_auto_opens_something_that_runs(weights: dict[str, Path], tmp_path: Path) -> None:
    engine = open_backend(EngineRequest(cache=tmp_path), print)
    size = engine.input_px
    assert engine(np.zeros((1, size, size, 3), np.uint8))["joints_crop_px"].shape == (1, 42, 2)

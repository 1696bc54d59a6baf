"""Crops that torch cuts where the network runs, against OpenCV's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.backends.captured import packed, unpacked
from engines.backends.torch_backend import TorchBackend
from engines.building.sample_crops import SAMPLE_CLIP, read_frames
from engines.contract import EngineRequest
from engines.geometry.crop import Crop, extract
from engines.geometry.cutting import CpuCutter
from engines.geometry.device_cutting import DeviceCutter
from engines.presets import weights_of
from engines.spec import LITE, OUTPUT_NAMES

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return read_frames(SAMPLE_CLIP, {120})[120]


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("angle_rad", [0.0, 0.7, -2.5])
@pytest.mark.parametrize("side_px", [60.0, 150.3, 575.0, 577.0, 1500.0, 4000.0])
def test_crops_are_those_of_opencv(picture: np.ndarray, side_px: float, angle_rad: float) -> None:
    """Also where a crop is averaged first (from 576 px on), and where most of it lies outside."""
    cut = DeviceCutter(CPU, 192, 2)
    for image in (picture, _noise(480, 640), _noise(721, 1283)):
        height, width = image.shape[:2]
        crops = [Crop((0.4 * width, 0.6 * height), side_px, angle_rad), Crop((width, 0.1 * height), side_px, angle_rad)]
        ours = cut(image, crops)
        assert (tuple(ours.shape), ours.dtype) == ((2, 192, 192, 3), torch.uint8)
        theirs = np.stack([extract(image, crop, 192) for crop in crops])
        assert np.abs(ours.numpy().astype(int) - theirs).mean() < 1.0


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (900, 3)])
def test_pictures_of_any_size_are_cut(size: tuple[int, int]) -> None:
    cut = DeviceCutter(CPU, 64, 1)
    for side_px in (0.5, 100.0, 2000.0):
        crop = Crop((size[1] / 2, size[0] / 2), side_px, 0.3)
        difference = cut(_noise(*size), [crop]).numpy()[0].astype(int) - extract(_noise(*size), crop, 64)
        assert np.abs(difference).mean() < 2.0


def test_a_crop_of_whole_pixels_is_the_picture_itself(picture: np.ndarray) -> None:
    cut = DeviceCutter(CPU, 192, 2)
    crop = Crop((320.5, 240.5), 192.0)
    for image in (picture, picture[::-1], np.ascontiguousarray(picture[:400])):
        np.testing.assert_array_equal(cut(image, [crop]).numpy()[0], image[145:337, 225:417])
    assert tuple(cut(picture, []).shape) == (0, 192, 192, 3)


def test_on_the_cpu_opencv_cuts(picture: np.ndarray) -> None:
    engine = TorchBackend(EngineRequest(), weights_of("lite", None), on_cpu=True)
    crops = [Crop((300.0, 200.0), 250.0, 0.2), Crop((400.0, 300.0), 150.0, -0.2)]
    cut = engine.cut(picture, crops)
    np.testing.assert_array_equal(cut, np.stack([extract(picture, crop, LITE.input_px) for crop in crops]))
    assert engine(cut)["joints_crop_px"].shape == (2, 42, 2)
    with pytest.raises(ValueError, match="2 crops, buffers for 1"):
        CpuCutter(LITE.input_px, 1)(picture, crops)


def test_outputs_in_one_buffer_keep_their_names_and_shapes() -> None:
    shapes = [(2, 42, 2), (2, 42), (2, 42), (2, 2), (2, 1), (2, 2)]
    outputs = [torch.randn(shape).half() for shape in shapes]
    found = unpacked(packed(outputs).numpy(), shapes)
    assert tuple(found) == OUTPUT_NAMES
    for value, output in zip(found.values(), outputs, strict=True):
        np.testing.assert_array_equal(value, output.float().numpy())

"""Reading coordinates out of maps, and the trunk that the maps come from."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
import torch

from engines.networks.decode import (
    DeployedLite,
    confidence,
    crop_from_heat,
    expectation,
    heat_from_crop,
    joint_cells,
    joint_depth_mm,
)
from engines.networks.decode import left_minus_right_root_mm as root_mm
from engines.networks.lite import Lite, LiteMaps
from engines.networks.mobile_trunk import MobileTrunk
from engines.openvino_core import openvino_core
from engines.spec import LITE, OUTPUT_NAMES
from training.lite.mediapipe_trunk import landmark_file, load_mediapipe_weights


def test_cells_and_pixels_are_inverse_and_centred() -> None:
    cells = torch.linspace(-2, 25, 50)
    torch.testing.assert_close(heat_from_crop(crop_from_heat(cells, 8), 8), cells)
    assert float(crop_from_heat(torch.tensor(9.5), 8)) == pytest.approx((160 - 1) / 2)


def test_expectation_finds_blobs_below_one_cell() -> None:
    axis = torch.arange(20.0)
    x, y = 7.3, 12.6
    logits = -((axis[None, :] - x) ** 2 + (axis[:, None] - y) ** 2) / 2
    mean, variance = expectation(logits[None, None])
    np.testing.assert_allclose(mean[0, 0].numpy(), [x, y], atol=0.01)
    assert float(variance) == pytest.approx(2.0, abs=0.02)


def test_depth_is_read_where_the_joint_is() -> None:
    heat = torch.full((1, 42, 20, 20), -50.0)
    heat[..., 4, 9] = 50.0
    depth = torch.zeros((1, 42, 20, 20))
    depth[..., 4, 9] = torch.arange(42.0)
    still, moved = torch.zeros(1, 42, 2), torch.zeros(1, 42)
    flags, root, gamma = torch.zeros(1, 2), torch.zeros(1, 64), torch.ones(1, 2)
    maps = LiteMaps(heat, depth, flags, root, gamma, still, moved, heat[:, None], depth[:, :2])
    torch.testing.assert_close(joint_depth_mm(maps)[0], torch.arange(42.0))
    torch.testing.assert_close(joint_depth_mm(maps._replace(moved_mm=moved - 3.0))[0], torch.arange(42.0) - 3.0)
    cells, _ = joint_cells(maps._replace(moved_cells=still + torch.tensor([0.5, -0.25])))
    torch.testing.assert_close(cells, torch.tensor([9.5, 3.75]).expand(1, 42, 2))


def test_root_bins_span_the_depth_range() -> None:
    logits = torch.full((3, 64), -1.0e4)
    for row, bin_ in enumerate((0, 32, 63)):
        logits[row, bin_] = 1.0e4
    torch.testing.assert_close(root_mm(logits, LITE), torch.tensor([-200.0, 0.0, 193.75]))


def test_sharper_maps_are_surer() -> None:
    sure = confidence(torch.tensor([0.5, 2.0, 20.0]), torch.tensor([-2.0, 2.0]))
    assert sure[0] > sure[1] > sure[2]


def test_trunk_computes_what_mediapipe_published() -> None:
    trunk = MobileTrunk().eval()
    load_mediapipe_weights(trunk)
    picture = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    model = openvino_core().read_model(landmark_file())
    pooled = [node for node in model.get_ordered_ops() if node.get_type_name() == "ReduceMean"][-1]
    published = openvino_core().compile_model(
        ov.Model([pooled.output(0)], model.get_parameters()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    with torch.inference_mode():
        ours = trunk(torch.from_numpy(picture.transpose(0, 3, 1, 2).copy()))[3]
    np.testing.assert_allclose(ours.numpy(), published([picture])[0], atol=1.0e-4)


@pytest.mark.parametrize("size", [96, 160])
def test_lite_has_under_six_million_parameters_and_all_outputs(size: int) -> None:
    network = Lite().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 6_000_000
    with torch.inference_mode():
        outputs = dict(zip(OUTPUT_NAMES, DeployedLite(network)(torch.rand(2, 3, size, size)), strict=True))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "joints_crop_px": (2, 42, 2),
        "joint_depth_mm": (2, 42),
        "joint_confidence": (2, 42),
        "hand_probability": (2, 2),
        "left_minus_right_root_mm": (2, 1),
        "root_depth_factor": (2, 2),
    }
    assert all(torch.isfinite(value).all() for value in outputs.values())

"""Reading the paper's heat maps: the axis-wise maximum is the maximum, and the refinement finds where a blob is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from engines.geometry.pinhole import rootnet_k
from engines.networks.decode_paper import (
    argmax_voxels,
    depth_mm,
    gamma_from_bones,
    joints_of,
    refined_voxels,
    slice_maxima,
)
from engines.spec import PAPER

AXIS = torch.arange(64.0)


def blob(x: float, y: float, z: float, sigma: float = 2.5) -> Tensor:
    """(64, 64, 64) as depth, y, x: the target that the released InterNet was trained on."""
    x_, y_, z_ = (torch.exp(-(((AXIS - at) / sigma) ** 2) / 2) for at in (x, y, z))
    return 255 * z_[:, None, None] * y_[:, None] * x_


def direct_argmax(heat: Tensor) -> Tensor:
    """x, y, z of the largest voxel by searching all 262,144 at once."""
    flat = heat.flatten(2).argmax(-1)
    return torch.stack([flat % 64, flat // 64 % 64, flat // 4096], -1)


def test_axis_by_axis_is_the_search_over_the_volume() -> None:
    heat = torch.randn((2, 42, 64, 64, 64), generator=torch.Generator().manual_seed(0))
    flat = heat.flatten(2)
    assert (flat.sort(-1).values.diff(dim=-1)[..., -1] > 0).all(), "this noise has one largest voxel in each volume"
    assert torch.equal(argmax_voxels(slice_maxima(heat)), direct_argmax(heat))


def test_equal_maxima_give_the_first_of_each_axis() -> None:
    heat = torch.zeros((1, 2, 64, 64, 64))
    heat[0, 0, 10, 20, 50] = heat[0, 0, 10, 20, 30] = 7.0  # z, y agree: the smaller x, as the direct search
    heat[0, 1, 40, 5, 9] = heat[0, 1, 12, 33, 2] = 7.0  # nothing agrees: each axis takes its own first one
    voxels = argmax_voxels(slice_maxima(heat))
    assert voxels[0].tolist() == [[30, 20, 10], [2, 5, 12]]
    assert direct_argmax(heat)[0].tolist() == [[30, 20, 10], [2, 33, 12]]


def test_an_empty_volume_gives_finite_numbers() -> None:
    for value in (0.0, -3.0, 255.0):
        maxima = slice_maxima(torch.full((1, 1, 64, 64, 64), value))
        assert torch.equal(refined_voxels(maxima), torch.zeros((1, 1, 3)))


@given(st.tuples(*[st.floats(0, 63)] * 3))
def test_refinement_finds_a_blob_exactly_also_at_the_edge(place: tuple[float, float, float]) -> None:
    maxima = slice_maxima(blob(*place)[None, None])
    np.testing.assert_allclose(refined_voxels(maxima)[0, 0].numpy(), place, atol=2e-3)
    assert (argmax_voxels(maxima)[0, 0] - torch.tensor(place)).abs().max() <= 0.5 + 1e-6


def test_noise_moves_the_refined_place_less_than_the_step_of_the_bare_maximum() -> None:
    generator = torch.Generator().manual_seed(1)
    places = 5 + 54 * torch.rand((40, 3), generator=generator)
    heat = torch.stack([blob(*place.tolist()) for place in places])[None]
    maxima = slice_maxima(heat + 2.0 * torch.randn(heat.shape, generator=generator))
    refined = (refined_voxels(maxima)[0] - places).square().mean().sqrt()
    bare = (argmax_voxels(maxima)[0] - places).square().mean().sqrt()
    assert refined < 0.15
    assert bare > 0.25


def test_half_precision_maps_move_joints_by_hundredths_of_a_millimetre() -> None:
    places = 5 + 54 * torch.rand((40, 3), generator=torch.Generator().manual_seed(2))
    heat = torch.stack([blob(*place.tolist()) for place in places])[None]
    difference = (refined_voxels(slice_maxima(heat.half())) - refined_voxels(slice_maxima(heat))).abs().max()
    assert float(difference) * 400 / 64 < 0.05


def test_voxels_scale_as_in_the_released_code() -> None:
    pixels, depth = joints_of(torch.tensor([[[0, 0, 0], [63, 10, 32]]]), PAPER)
    assert pixels.tolist() == [[[0.0, 0.0], [252.0, 40.0]]]
    assert depth.tolist() == [[-200.0, 0.0]]
    assert float(depth_mm(torch.tensor(63.0), PAPER)) == pytest.approx(193.75)


def flat_hand_mm(scale: float) -> NDArray[np.float64]:
    """(21, 3): a hand spread in a plane, its bones as long as the mean of real ones times `scale`; mm."""
    joints = np.zeros((21, 3))
    fingers = ((7, -0.25, 85.9, 41.2), (11, -0.05, 84.4, 42.7), (15, 0.12, 80.4, 39.0), (19, 0.3, 77.3, 29.9))
    for base, angle, palm, phalanx in fingers:
        direction = np.array([np.sin(angle), -np.cos(angle), 0.0])
        joints[base] = scale * palm * direction
        joints[base - 1] = scale * (palm + phalanx) * direction
    return joints


@pytest.mark.parametrize("tilt_deg", [0, 30, -60])
@pytest.mark.parametrize("distance_mm", [400.0, 900.0])
def test_bones_tell_how_far_a_hand_is(tilt_deg: float, distance_mm: float) -> None:
    c, s = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
    mean = flat_hand_mm(1.0) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T
    hands = np.stack([mean, 1.1 * mean])  # right and left
    focal_px, side_px = 600.0, 250.0
    crop_px = hands[..., :2] * focal_px / distance_mm * (256 / side_px)  # weak perspective
    gamma = gamma_from_bones(
        torch.from_numpy(crop_px.reshape(1, 42, 2)), torch.from_numpy(hands[..., 2].reshape(1, 42)), 256
    )
    depth = gamma[0].numpy() * rootnet_k(side_px, focal_px, focal_px)
    assert depth[0] == pytest.approx(distance_mm, rel=1e-3)
    assert depth[1] < distance_mm, "a hand larger than the mean seems nearer"


def test_bones_without_length_give_a_finite_depth() -> None:
    gamma = gamma_from_bones(torch.zeros((1, 42, 2)), torch.zeros((1, 42)), 256)
    assert gamma.tolist() == [[5.0, 5.0]]

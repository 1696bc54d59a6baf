"""The table of engines, and the floor they are held against: work counted from the layers' definitions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from benchmarks import openvino_hints as hints
from benchmarks.engine_rows import Plan, measure
from benchmarks.engine_table import Failure, Row, digits
from benchmarks.floor import Machine, Work, floor_of, measured_machine, work_of
from benchmarks.possible_bones import apart_deg, directions
from benchmarks.rotation_steps import steps_deg
from engines.building.graph import deployed_module
from engines.building.tolerance import LIMITS_MM
from engines.networks.decode import BytesInput
from engines.networks.decode_paper import DeployedPaper
from engines.networks.internet import InterNet
from engines.networks.paper import PaperNetworks
from engines.networks.rootnet import RootNet
from engines.presets import weights_of
from engines.skeleton import WRIST
from engines.spec import LITE, PAPER
from realtime.rotations.quaternions import times
from realtime.rotations.rest_hand import MIRROR
from tests.support.hand_frames import hand_frame, joints_mm


def test_work_of_the_published_networks() -> None:
    """ResNet-50 takes 4.09 G multiplications for 224 px (He et al.); InterNet's heads take the rest."""
    with torch.device("meta"):  # nothing is drawn: what is counted depends on no value
        graph = BytesInput(DeployedPaper(PaperNetworks(InterNet(50), RootNet(50, 2)).eval(), PAPER))
    rootnet = graph.deployed.network.rootnet  # type: ignore[union-attr]
    unused = sum(value.numel() for name, value in rootnet.root.named_parameters() if not name.startswith("depth"))
    kept = sum(
        part.weight.numel() + (0 if part.bias is None else part.bias.numel())
        for part in graph.modules()
        if isinstance(part, torch.nn.Conv2d | torch.nn.ConvTranspose2d | torch.nn.Linear)
    )
    norms = sum(
        p.numel() for m in rootnet.root.modules() if isinstance(m, torch.nn.BatchNorm2d) for p in m.parameters()
    )
    work = work_of(graph, 256, 1)
    assert work.weights == kept - (unused - norms)
    trunk = 2 * 4.087e9 * (256 / 224) ** 2
    upsampling = 2 * 2 * 16 * 256 * (2048 * 8**2 + 256 * 16**2 + 256 * 32**2)
    last = 2 * 2 * 256 * 21 * 64 * 64**2
    assert work.operations == pytest.approx(2 * trunk + upsampling + last, rel=0.01)
    assert isinstance(rootnet, RootNet)


def test_work_grows_with_the_batch_and_weights_do_not() -> None:
    one, two = (work_of(deployed_module("lite", weights_of("lite", None)), LITE.input_px, batch) for batch in (1, 2))
    assert two.operations == pytest.approx(2 * one.operations)
    assert two.features == 2 * one.features
    assert two.weights == one.weights > 3_000_000


def test_floor_is_the_larger_of_what_cannot_be_avoided() -> None:
    machine = Machine("a device", "fp16", operations_per_s=1e12, bytes_per_s=1e9)
    floor = floor_of("paper", Work(2e9, weights=5_000_000, features=1_000_000), 1, machine)
    assert floor.operations_ms == pytest.approx(2.0)
    assert floor.weights_ms == floor.floor_ms == pytest.approx(10.0)
    assert floor.features_ms == pytest.approx(4.0)


def test_what_is_measured_of_this_machine_is_sane() -> None:
    machine = measured_machine(torch.device("cpu"), "fp32")
    assert 1e8 < machine.operations_per_s < 1e15
    assert 1e8 < machine.bytes_per_s < 1e14


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes fp16")
def test_every_engine_has_a_row_or_says_why_not(tmp_path: Path) -> None:
    limits = dict(LIMITS_MM)
    rows = measure(Plan(presets=("lite",), backends=("torch",), threads=1, seconds=0.05), tmp_path)
    assert limits == LIMITS_MM
    assert [(row.precision, type(row)) for row in rows] == [
        *[("fp32", Row)] * 2,
        *[("bf16", Row)] * 2,
        ("fp16", Failure),
    ]
    exact, rough = rows[0], rows[2]
    assert isinstance(exact, Row)
    assert isinstance(rough, Row)
    assert exact.joints_mm == 0 < rough.joints_mm < 10
    assert exact.crops_per_s == pytest.approx(1e3 / exact.p50_ms)
    assert {row.markdown().count("|") for row in rows} == {12}
    assert "choose --precision" in rows[-1].markdown()


def test_hints_of_openvino_are_measured_side_by_side() -> None:
    some = {name: hints.CHOICES[name] for name in ("as it is", "pinned to cores")}
    times = hints.times_ms(1, 3, some)
    assert {name: len(each) for name, each in times.items()} == dict.fromkeys(some, 3)
    assert hints.table({"a": [2.0, 2.0], "b": [3.0, 3.0]}).splitlines()[2].endswith("1.50")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.012345, "0.0123"),
        (0.999, "0.999"),
        (1.2345, "1.23"),
        (9.7, "9.70"),
        (311.5, "312"),
        (1571.9, "1572"),
        (0, "0"),
    ],
)
def test_times_have_three_significant_digits(value: float, text: str) -> None:
    assert digits(value) == text
    assert math.isclose(float(digits(value)), value, rel_tol=0.005)


def test_steps_of_a_hand_that_turns_as_a_whole() -> None:
    """Six degrees a frame in the camera, none against the joint before; and none of a hand that is away."""
    turns = Rotation.from_rotvec(np.radians(6.0) * np.arange(5)[:, None] * [[0.0, 1.0, 0.0]]).as_quat()
    hand = hand_frame("right").hands[0].joint_rotations
    turning = np.stack([times(turn, hand) for turn in turns])
    away = np.full_like(turning, np.nan)
    steps = steps_deg(np.stack([turning, away], axis=1))
    fingers = [joint for joint in range(21) if joint != WRIST]
    np.testing.assert_allclose(steps[:, 0, :, 0], 6.0, atol=1e-4)
    np.testing.assert_allclose(steps[:, 0, fingers, 1], 0.0, atol=1e-4)
    assert np.isnan(steps[:, 1]).all()


def test_a_bone_bent_backwards_is_told_from_what_is_measured() -> None:
    """Of a hand and its mirror image, one bone is wrong in each, and the others are as measured."""
    hand = joints_mm("right", (0.0, 0.0, 500.0), 10.0).astype(np.float64)
    hand[4] = hand[5] + [0.0, 15.0, 15.0]  # the index finger's tip behind its back
    both = np.stack([hand, hand * MIRROR])
    measured, inside = directions(both, np.array([False, True]))
    moved = apart_deg(measured, inside) > 5.0
    np.testing.assert_array_equal(np.argwhere(moved), [[0, 1, 2], [1, 1, 2]])
    np.testing.assert_allclose(inside[0], inside[1], atol=1e-9)

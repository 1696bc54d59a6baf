from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.errors import UserError
from engines.geometry.crop import Crop
from engines.skeleton import HAND_SLICES, SIDES, Side
from tests.support.rigs import hands_mm, rig_around
from tests.support.small_bank import FOCAL_PX, write_shard
from training.annotation.accuracy.meanings import measure
from training.annotation.detection.hidden import covered_mm, widened
from training.annotation.detection.offsets import (
    axes_in_picture,
    fit_offsets,
    hand_axes_mm,
    offsets_of,
    without_offset,
)
from training.annotation.detection.readers import Reading
from training.annotation.steps import offsets_step


def _mirrored(points_mm: np.ndarray) -> np.ndarray:
    return points_mm * np.array([-1.0, 1.0, 1.0])


def test_the_frame_of_a_left_hand_is_that_of_the_right_one_in_a_mirror() -> None:
    right = hands_mm()[0, :21]
    axes = hand_axes_mm(right, "right")
    assert np.allclose(hand_axes_mm(_mirrored(right), "left"), axes * np.array([[-1.0], [1.0], [1.0]]))
    palm = np.linalg.norm(right[11] - right[20])
    assert np.allclose(axes.T @ axes, palm**2 * np.eye(3), atol=1e-6 * palm**2)
    assert axes[:, 0] @ (right[7] - right[19]) > 0  # towards the index finger
    bent = [(hand[4] - hand[7]) @ hand_axes_mm(hand, "right")[:, 2] for hand in hands_mm(60)[:, :21]]
    assert max(bent) > 3 * -min(bent)  # fingers bend to the palm


@pytest.mark.parametrize("side", SIDES)
def test_offsets_that_were_put_in_are_found_and_taken_off_in_any_view(side: Side) -> None:
    rng = np.random.default_rng(3)
    wrong = rng.normal(0, 0.05, (21, 3))
    off, axes = [], []
    for camera in rig_around(6, "dome", lens=()):
        for hand in hands_mm()[::3, HAND_SLICES[side]]:
            shown = axes_in_picture(camera, hand, side)
            moved = hand + wrong @ hand_axes_mm(hand, side).T
            off.append(camera.project(moved) - camera.project(hand))
            axes.append(shown)
    off[4][3] += 90  # one that is astray altogether
    found = fit_offsets(np.array(off), np.array(axes))
    assert np.abs(found - wrong).max() < 0.004
    left = np.array(off) - np.einsum("njki,ji->njk", np.array(axes), found)
    assert np.median(np.linalg.norm(left, axis=-1)) < 0.1 * np.median(np.linalg.norm(off, axis=-1))


def test_what_is_taken_off_are_the_detectors_own_offsets_and_only_where_the_hand_is_known() -> None:
    camera, hand = rig_around(2)[0], hands_mm()[0, :21]
    axes = axes_in_picture(camera, hand, "right")
    places = camera.project(hand)
    apart = places - without_offset(places, "mediapipe", axes)
    assert np.allclose(apart, np.einsum("jki,ji->jk", axes, offsets_of("mediapipe")))
    assert np.linalg.norm(apart, axis=-1).max() > 2.0
    assert without_offset(places, "mediapipe", None) is places
    assert np.array_equal(without_offset(places, "mediapipe", np.full_like(axes, np.nan)), places)


def test_mediapipes_knuckles_and_wrist_are_nearer_to_the_palm() -> None:
    """Whoever measures anew sees it: a sign that is lost would double the error."""
    assert (offsets_of("mediapipe")[[7, 11, 15, 20], 2] > 0.04).all()
    assert np.abs(offsets_of("lite")).max() < 0.04


def test_too_few_hands_are_refused() -> None:
    with pytest.raises(UserError, match="50 at least"):
        fit_offsets(np.zeros((3, 21, 2)), np.zeros((3, 21, 2, 3)))


def test_a_table_that_is_damaged_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "offsets.json"
    broken.write_text('{"lite": {}}')
    monkeypatch.setattr("training.annotation.detection.offsets.MEASURED", broken)
    with pytest.raises(UserError, match="measure it anew"):
        offsets_of.__wrapped__("lite")


def test_joints_behind_a_finger_are_covered_and_those_before_it_are_not() -> None:
    hands = np.full((42, 3), np.nan)
    hands[3] = (120.0, 0.0, 600.0)
    assert (covered_mm(hands) == -np.inf).all()  # nothing is known to be in front
    hands[25], hands[26] = (96.0, -30.0, 480.0), (96.0, 30.0, 480.0)  # a bone across the sight to it
    covered = covered_mm(hands)
    assert covered[3] == pytest.approx(8.0, abs=0.5)
    assert (covered[[25, 26]] == -np.inf).all()  # a bone hides not its own ends
    beside = hands.copy()
    beside[[25, 26], 0] += 20
    assert covered_mm(beside)[3] == pytest.approx(8 - 20 * 600 / np.hypot(600, 120), abs=0.5)
    behind = hands.copy()
    behind[[25, 26]] *= 2
    assert covered_mm(behind)[3] == -np.inf
    assert np.allclose(widened(np.ones(3), np.array([-np.inf, -5.0, 8.0])), [1.0, 1.0, 1.75])


class TruthAside:
    """A reader that knows the labels of a shard, and means by every joint a place so many px of 256 above it."""

    def __init__(self, shard: Path, above_px: float) -> None:
        with np.load(shard) as labels:
            joints, valid = labels["joints_cam_mm"].astype(np.float64), labels["joint_valid"][:, [20, 41]] > 0
        self._hands = [joints[i, 21 * int(v[1]) :][:21] for i, v in enumerate(valid) if v.sum() == 1]
        self._above_px, self._asked = above_px, 0

    def __call__(self, image_bgr: np.ndarray, crop: Crop, side: Side, axes_px: np.ndarray | None = None) -> Reading:
        assert image_bgr.shape == (320, 320, 3)
        hand = self._hands[self._asked]
        self._asked += 1
        places = 2 * FOCAL_PX * hand[:, :2] / hand[:, 2:] + 160 - 0.5
        places[:, 1] -= self._above_px * crop.side_px / 256
        return Reading(places, np.ones(21), np.ones(21), 1.0)


def test_what_a_detector_means_is_measured_on_a_bank(tmp_path: Path) -> None:
    write_shard(tmp_path, "000", 90, 4)
    readers = {name: TruthAside(tmp_path / "shard-000.npz", up) for name, up in (("exact", 0.0), ("above", 6.0))}
    found = measure(readers, tmp_path, ["000"], tmp_path / "cache")
    assert found["exact"].hands == 60
    assert found["exact"].before_px < 0.01
    assert np.abs(found["exact"].offsets).max() < 0.001
    assert found["above"].before_px == pytest.approx(6.0, abs=0.01)
    assert found["above"].after_px < 1.0
    assert (found["above"].offsets[:, 1] > 0.04).all()  # to the fingers, which point up


def test_the_commands_table_is_the_one_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.round(np.random.default_rng(1).normal(0, 0.05, (21, 3)), 4)
    path = tmp_path / "offsets.json"
    path.write_text(offsets_step.file_text({"lite": table}))
    monkeypatch.setattr("training.annotation.detection.offsets.MEASURED", path)
    assert np.allclose(offsets_of.__wrapped__("lite"), table)

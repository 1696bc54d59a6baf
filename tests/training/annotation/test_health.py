from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.skeleton import SWAP_HANDS
from tests.support.rigs import hands_mm, off_mm, rig_around, seen_by, turned_by, with_pixels
from training.annotation.cameras.camera import Rig
from training.annotation.triangulation.delays import as_shown, estimate_delays
from training.annotation.triangulation.health import judge_cameras
from training.annotation.triangulation.observations import Observations, sights_of
from training.annotation.triangulation.solve import SolveSettings, solve

T_S = np.arange(60) / 10
MOVING = hands_mm(60, 30, 3)
RIG = rig_around(4)


def known_as(seen: Observations, rig: Rig) -> Observations:
    """The same pixels, of cameras that are believed to be others."""
    return replace(seen, rig=rig, sights=sights_of(rig, seen.joints_px))


def test_good_cameras_have_no_problem() -> None:
    assert [one.problem for one in judge_cameras(seen_by(RIG, MOVING, 2.0), T_S)] == [""] * 4


def test_a_camera_that_is_badly_calibrated_is_named() -> None:
    seen = known_as(seen_by(RIG, MOVING, 2.0), turned_by(RIG, 2, 3.0))
    problems = [one.problem for one in judge_cameras(seen, T_S)]
    assert "cam_2" in problems[2]
    assert "calibrate it again" in problems[2]
    assert problems[:2] == ["", ""]
    assert problems[3] == ""


@pytest.mark.parametrize("late_s", [0.08, -0.08])
def test_a_camera_that_is_late_is_named_with_its_delay(late_s: float) -> None:
    fine = hands_mm(180, 30, 1)
    pixels = seen_by(RIG, MOVING, 1.0).joints_px
    shift = np.clip(np.arange(60) * 3 - late_s * 30, 0, 179)
    low, part = np.floor(shift).astype(int), (shift % 1)[:, None, None]
    pixels[:, 1] = RIG[1].project((1 - part) * fine[low] + part * fine[np.minimum(low + 1, 179)])
    found = judge_cameras(with_pixels(seen_by(RIG, MOVING, 1.0), pixels), T_S)
    assert found[1].delay_ms == pytest.approx(late_s * 1e3, abs=25)
    assert ("late" if late_s > 0 else "early") in found[1].problem
    assert not any(one.problem for k, one in enumerate(found) if k != 1)


def test_a_camera_that_was_moved_half_way_is_named_with_the_moment() -> None:
    pixels = seen_by(RIG, MOVING, 1.5).joints_px
    pixels[35:, 3] += [14, -6]
    found = judge_cameras(with_pixels(seen_by(RIG, MOVING, 1.5), pixels), T_S)
    assert "moved at moment" in found[3].problem
    assert abs(found[3].moved_at - 35) <= 2
    assert not any(one.problem for one in found[:3])


@pytest.mark.parametrize("way", ["mirrored", "upside down"])
def test_pictures_that_are_mirrored_or_turned_are_named(way: str) -> None:
    seen = seen_by(RIG, MOVING, 1.5)
    pixels = seen.joints_px.copy()
    pixels[:, 0, :, 0] = 639 - pixels[:, 0, :, 0]
    if way == "mirrored":
        pixels[:, 0] = pixels[:, 0][:, SWAP_HANDS]  # what a detector calls hands in a mirror
    else:
        pixels[:, 0, :, 1] = 479 - pixels[:, 0, :, 1]
    found = judge_cameras(with_pixels(seen, pixels), T_S)
    assert way in found[0].problem
    assert not any(one.problem for one in found[1:])


def test_a_late_camera_is_corrected() -> None:
    fine = hands_mm(180, 30, 1)
    pixels = seen_by(RIG, MOVING, 1.0).joints_px
    late = np.clip(np.arange(60) * 3 - 2, 0, 179)  # two of the clip's frames, 67 ms
    pixels[:, 1] = RIG[1].project(fine[late])
    seen = with_pixels(seen_by(RIG, MOVING, 1.0), pixels)
    delays = estimate_delays(seen, T_S)
    assert delays[1] == pytest.approx(2 / 30, abs=0.02)
    assert not delays[[0, 2, 3]].any()
    plain, corrected = (solve(seen, T_S, SolveSettings(delays_s=d)).hands for d in ((), tuple(delays)))
    used = [(h.used[:, 1] & h.accepted).sum() / h.accepted.sum() for h in (plain, corrected)]
    assert used[1] > used[0] + 0.02
    assert off_mm(corrected.joints_mm, MOVING).mean() < off_mm(plain.joints_mm, MOVING).mean()
    shown, known = as_shown(corrected, 1)
    assert off_mm(shown, fine[late])[known].mean() < off_mm(corrected.joints_mm, fine[late])[known].mean()

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.skeleton import SWAP_HANDS
from tests.support.rigs import hands_mm, off_mm, rig_around, seen_by, with_pixels
from training.annotation.triangulation.hands import DISAGREE, NARROW, NOT_SEEN, ONE_VIEW
from training.annotation.triangulation.solve import SolveSettings, alike_lengths, bone_statistics, solve

T_S = np.arange(len(hands_mm())) / 10
FREE = SolveSettings(bones=False)


def test_without_noise_joints_are_exact_through_lenses_that_distort() -> None:
    seen = seen_by(rig_around(4), hands_mm())
    found = solve(seen, T_S).hands
    assert found.accepted.mean() > 0.99
    assert off_mm(found.joints_mm, hands_mm())[found.accepted].max() < 0.01


def test_more_views_are_better_and_sigmas_tell_the_error() -> None:
    errors = []
    for views in (3, 6, 12):
        found = solve(seen_by(rig_around(views, "dome"), hands_mm(), 2.0), T_S, FREE).hands
        off = off_mm(found.joints_mm, hands_mm())[found.accepted]
        errors.append(off.mean())
        share = off / found.sigma_mm[found.accepted]
        assert 0.6 < np.sqrt((share**2).mean()) < 1.3
    assert errors[0] > errors[1] > errors[2]


def test_views_that_are_wrong_are_left_out() -> None:
    seen = seen_by(rig_around(6), hands_mm(), 1.5)
    rng = np.random.default_rng(4)
    wrong = rng.random(seen.sigma_px.shape) < 0.15
    wild = seen.joints_px + wrong[..., None] * rng.uniform(40, 90, seen.joints_px.shape) * rng.choice([-1, 1], 2)
    found = solve(with_pixels(seen, wild), T_S, FREE).hands
    kept = found.accepted[:, None] & wrong & found.used
    assert kept.sum() < 0.03 * wrong.sum()
    assert found.accepted.mean() > 0.9
    assert np.median(off_mm(found.joints_mm, hands_mm())[found.accepted]) < 2.5


def test_constant_bones_help_where_views_are_few() -> None:
    seen = seen_by(rig_around(2), hands_mm(), 4.0)
    free, held = (solve(seen, T_S, settings).hands for settings in (FREE, SolveSettings()))
    both = free.accepted & held.accepted
    assert off_mm(held.joints_mm, hands_mm())[both].mean() < 0.9 * off_mm(free.joints_mm, hands_mm())[both].mean()
    assert np.nanmean(bone_statistics(held.labelled_mm)[1]) < np.nanmean(bone_statistics(free.labelled_mm)[1])


def test_hands_that_a_view_names_wrongly_are_named_by_the_others() -> None:
    seen = seen_by(rig_around(4), hands_mm(), 1.0)
    pixels = seen.joints_px.copy()
    pixels[::2, 2] = pixels[::2, 2][:, SWAP_HANDS]
    solution = solve(with_pixels(seen, pixels), T_S)
    assert off_mm(solution.hands.joints_mm, hands_mm())[solution.hands.accepted].mean() < 3
    assert solution.assigned.renamed[::2, 2].all()
    assert not solution.assigned.renamed[1::2].any()


def test_reasons_say_why_a_joint_is_no_label() -> None:
    seen = seen_by(rig_around(3), hands_mm(), 0.5)
    pixels = seen.joints_px.copy()
    pixels[:, 1:, 0] = np.nan  # one view only
    pixels[:, :, 4] = np.nan  # none
    pixels[:, 0, 8] += 60
    pixels[:, 1, 8] -= 60
    reason = solve(with_pixels(seen, pixels), T_S, FREE).hands.reason
    assert (reason[:, 0] == ONE_VIEW).all()
    assert (reason[:, 4] == NOT_SEEN).all()
    assert (reason[:, 8] == DISAGREE).mean() > 0.8
    assert (reason[:, 10] == 0).all()


def test_two_cameras_side_by_side_place_no_joint() -> None:
    near = rig_around(2)[0]
    beside = replace(near, name="beside", translation_mm=near.translation_mm + np.array([40.0, 0, 0]))
    reason = solve(seen_by((near, beside), hands_mm(), 2.0), T_S, FREE).hands.reason
    assert not (reason == 0).any()
    assert (reason == NARROW).mean() > 0.5


def test_a_hand_in_one_view_only_is_told_from_one_that_is_nowhere() -> None:
    seen = seen_by(rig_around(3), hands_mm(), 0.5)
    pixels = seen.joints_px.copy()
    pixels[:, :, 21:] = np.nan
    pixels[:, 1, :21] = np.nan
    pixels[:, 2, :21] = np.nan
    solution = solve(with_pixels(seen, pixels), T_S)
    assert not solution.hands.accepted.any()
    assert solution.assigned.alone[:, 0, 0].all()


def test_smoothing_is_off_unless_asked_for() -> None:
    still = np.repeat(hands_mm()[:1], len(T_S), axis=0)
    seen = seen_by(rig_around(3), still, 3.0)
    plain, smooth = (solve(seen, T_S, SolveSettings(smooth_s=s)).hands.joints_mm for s in (0.0, 0.15))
    assert np.nanstd(smooth, axis=0).mean() < 0.7 * np.nanstd(plain, axis=0).mean()


@pytest.mark.parametrize("views", [2, 5])
def test_the_same_input_gives_the_same_hands(views: int) -> None:
    seen = seen_by(rig_around(views), hands_mm(), 2.0)
    first, second = (solve(seen, T_S).hands.joints_mm for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)


def test_both_hands_of_a_person_have_the_same_bones_unless_they_are_of_two_people() -> None:
    lengths = np.linspace(20, 80, 20) * np.array([[1.02], [0.98]])
    lengths[0, 3] = np.nan
    alike = alike_lengths(lengths)
    assert np.array_equal(alike[0], alike[1])
    assert np.allclose(np.delete(alike[0], 3), np.delete(np.linspace(20, 80, 20), 3))
    apart = lengths * np.array([[1.15], [1.0]])
    assert np.array_equal(alike_lengths(apart), apart, equal_nan=True)

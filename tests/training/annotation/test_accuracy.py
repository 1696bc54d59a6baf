from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest

from engines.errors import UserError
from engines.skeleton import HAND_SLICES, SIDES
from realtime.messages import HandFrame, HandPose
from tests.support.rigs import hands_mm, rig_around, seen_by
from training.annotation.__main__ import main
from training.annotation.accuracy.figure import draw_figure
from training.annotation.accuracy.judge import compare, pooled, summary, table
from training.annotation.accuracy.views import error_by_views
from training.annotation.cameras.camera import Camera
from training.annotation.rigs.rendering_truth import exact_hands
from training.annotation.steps import judge_step, views_step
from training.annotation.triangulation.solve import SolveSettings

TRUTH = hands_mm()[:10]


def tracked(camera: Camera, joints_mm: np.ndarray, swap: bool = False) -> HandFrame:
    """What a tracker would say that sees hands of the world (42, 3)."""
    hands = []
    for side in SIDES:
        own = joints_mm[HAND_SLICES[("left" if side == "right" else "right") if swap else side]]
        hands.append(
            HandPose(
                side,
                camera.in_camera(own).astype(np.float32),
                camera.project(own).astype(np.float32),
                np.ones(21, np.float32),
                1.0,
                "rootnet",
            )
        )
    return HandFrame(0, 0.0, tuple(hands), camera.intrinsics, camera.size_px)


def test_tracks_that_are_the_truth_have_no_error() -> None:
    camera = rig_around(3)[0]
    found = compare(camera, [tracked(camera, hands) for hands in TRUTH], TRUTH)
    figures = summary(found)
    assert figures["hands"] == 2 * len(TRUTH)
    assert figures["found"] == 1
    assert figures["exchanged"] == 0
    for name in ("wrist_mm_mean", "root_relative_mm_mean", "left_from_right_mm_mean", "joints_px_mean"):
        assert figures[name] < 0.01


def test_each_figure_tells_what_it_says() -> None:
    camera = rig_around(3)[0]
    deeper = TRUTH + 30.0 * camera.camera_from_world[2]
    figures = summary(compare(camera, [tracked(camera, hands) for hands in deeper], TRUTH))
    assert figures["wrist_mm_median"] == pytest.approx(30, abs=0.1)
    assert figures["wrist_depth_mm_median"] == pytest.approx(30, abs=0.1)
    assert figures["root_relative_mm_mean"] < 0.1
    assert figures["left_from_right_mm_mean"] < 0.1
    apart = TRUTH.copy()
    apart[:, 21:] += [0.0, 40.0, 0.0]
    figures = summary(compare(camera, [tracked(camera, hands) for hands in apart], TRUTH))
    assert figures["left_from_right_mm_mean"] == pytest.approx(40, abs=0.1)
    assert figures["right_wrist_mm_mean"] < 0.1
    swapped = compare(camera, [tracked(camera, hands, swap=True) for hands in TRUTH], TRUTH)
    assert summary(swapped)["exchanged"] == 2 * len(TRUTH)
    nothing = compare(camera, [None] * len(TRUTH), TRUTH)
    assert summary(nothing)["found"] == 0
    assert "cam" in table({"cam": summary(pooled([swapped, nothing]))})


def test_hands_without_a_truth_do_not_count() -> None:
    camera = rig_around(3)[0]
    truth = TRUTH.copy()
    truth[:4, 20] = np.nan  # no right wrist
    truth[:, 21:35] = np.nan  # too little of the left hand
    assert summary(compare(camera, [tracked(camera, hands) for hands in TRUTH], truth))["hands"] == 6


def test_the_error_falls_with_the_number_of_views(tmp_path: Path) -> None:
    rig = rig_around(5, "dome")
    truth = exact_hands(rig, TRUTH, np.arange(10) / 10)
    rows = error_by_views(seen_by(rig, TRUTH, 3.0), truth, 5, SolveSettings(bones=False))
    assert [row.views for row in rows] == [2, 3, 4, 5]
    assert [row.draws for row in rows] == [5, 5, 5, 1]
    assert rows[0].all_mean_mm > 1.4 * rows[-1].all_mean_mm
    assert rows[0].deviation_mm > rows[2].deviation_mm
    draw_figure(tmp_path / "views.png", {"rig": rows})
    assert (tmp_path / "views.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "told"), [(["--seed", "-1"], "must not be negative"), (["--figure", "v.xyz"], r"v\.xyz: .* \.png")]
)
def test_wrong_words_of_views_are_one_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is worked out."""
    with contextlib.suppress(SystemExit):
        assert main(["views", "nowhere", *words]) == 2
    assert re.search(told, capsys.readouterr().err)


def test_a_truth_of_another_recording_is_refused() -> None:
    rig = rig_around(2)
    with pytest.raises(UserError, match="not of this one"):
        views_step.check_truth(exact_hands(rig, TRUTH, np.arange(10) / 10), np.arange(7) / 10)


def test_a_part_of_a_recording_can_be_judged_by_itself() -> None:
    truth = exact_hands(rig_around(2), TRUTH, np.arange(10) / 10)
    part = judge_step.only_moments(truth, "3-5")
    assert np.flatnonzero(part.accepted.any(axis=1)).tolist() == [3, 4, 5]
    for words in ("3", "5-3", "0-10", "a-b", "-2"):
        with pytest.raises(UserError, match="from 0 to 9"):
            judge_step.only_moments(truth, words)

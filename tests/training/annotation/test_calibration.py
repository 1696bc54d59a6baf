from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.calibration.board import Board, View
from tests.support.rigs import hands_mm, rig_around, seen_by
from training.annotation.__main__ import main
from training.annotation.calibration.sightings import Sightings
from training.annotation.calibration.together import solve_together
from training.annotation.cameras.camera import Rig
from training.annotation.cameras.files import load_cameras
from training.annotation.triangulation.observations import sights_of
from training.annotation.triangulation.solve import solve

WAVING = Path("../shared/data/multiview/waving")
BOARD = Board("charuco", 6, 8, 30.0)


def board_in_the_room(count: int, seed: int = 3) -> list[NDArray[np.float64]]:
    """(K, 3) corners of a board that is carried about where the hands are, tilted in all directions."""
    rng = np.random.default_rng(seed)
    corners = np.asarray(BOARD.pattern.getChessboardCorners(), np.float64)
    middle, centred = np.median(hands_mm(), axis=(0, 1)), corners - corners.mean(axis=0)
    turns = [cv2.Rodrigues(rng.uniform(-0.7, 0.7, 3))[0] for _ in range(count)]
    return [centred @ turn.T + middle + rng.uniform(-110, 110, 3) for turn in turns]


def sightings(rig: Rig, places: list[NDArray[np.float64]], noise_px: float, seed: int = 0) -> list[Sightings]:
    rng = np.random.default_rng(seed)
    corners = np.asarray(BOARD.pattern.getChessboardCorners(), np.float32)
    result = []
    for camera in rig:
        views = {}
        for moment, place in enumerate(places):
            pixels = camera.project(place) + rng.normal(0, noise_px, (len(place), 2))
            seen = camera.sees(place)
            if seen.sum() >= 8:
                views[moment] = View(str(moment), pixels[seen].astype(np.float32), corners[seen])
        result.append(Sightings(camera.name, camera.size_px, views))
    return result


def test_cameras_are_found_again_from_boards_with_noise() -> None:
    rig = rig_around(4, lens=(-0.2, 0.05, 0.0005, -0.0004))
    found = solve_together(sightings(rig, board_in_the_room(16), 0.15), 4, say=lambda _: None)
    assert found.adjusted.error_px < 0.3
    assert not found.warnings
    for true, camera in zip(rig, found.rig, strict=True):
        before = rig[0].in_camera(true.position_mm)
        assert np.linalg.norm(camera.position_mm - before) < 4.0
        assert camera.intrinsics.fx == pytest.approx(true.intrinsics.fx, rel=0.01)
    seen = seen_by(rig, hands_mm()[:2])
    again = solve(replace(seen, rig=found.rig, sights=sights_of(found.rig, seen.joints_px)), np.arange(2.0))
    apart = [np.linalg.norm(h[0, :, None] - h[0, None], axis=-1) for h in (again.hands.joints_mm, hands_mm())]
    assert np.abs(apart[0] - apart[1]).max() < 1.5


def test_known_lenses_stay_as_they_are() -> None:
    rig = rig_around(3)
    known = [camera.intrinsics for camera in rig]
    found = solve_together(sightings(rig, board_in_the_room(12), 0.15), 4, known, say=lambda _: None)
    assert [camera.intrinsics for camera in found.rig] == known
    assert np.linalg.norm(found.rig[2].position_mm - rig[0].in_camera(rig[2].position_mm)) < 4.0


def test_wrong_corners_pull_little() -> None:
    rig = rig_around(3)
    seen = sightings(rig, board_in_the_room(30), 0.15)
    for moment in (3, 8):
        view = seen[1].views[moment]
        seen[1].views[moment] = replace(view, corners_px=view.corners_px + np.float32(25))
    found = solve_together(seen, 4, [c.intrinsics for c in rig], say=lambda _: None)
    assert found.adjusted.left_out > 20
    assert np.linalg.norm(found.rig[1].position_mm - rig[0].in_camera(rig[1].position_mm)) < 5.0


def test_a_camera_that_never_sees_the_board_with_another_is_named() -> None:
    rig = rig_around(3)
    seen = sightings(rig, board_in_the_room(24), 0.15)
    for moment in list(seen[2].views):
        if moment < 12:
            del seen[2].views[moment]
    for other in seen[:2]:
        for moment in list(other.views):
            if moment >= 12:
                del other.views[moment]
    with pytest.raises(UserError, match="camera cam_2: shows the board together with another camera at 0 moments"):
        solve_together(seen, 4, [c.intrinsics for c in rig], say=lambda _: None)
    with pytest.raises(UserError, match="camera empty: never shows the board"):
        solve_together([*seen[:2], Sightings("empty", (640, 480), {})], 4, say=lambda _: None)


def test_boards_of_other_programs() -> None:
    with pytest.raises(UserError, match="unknown to OpenCV"):
        Board("charuco", dictionary="DICT_9X9_5")


@pytest.mark.skipif(not WAVING.exists(), reason="the recording of four cameras is not here")
def test_real_cameras_come_out_where_another_program_put_them(tmp_path: Path) -> None:
    """Some seconds: the board is looked for in a quarter of 444 pictures of 1280x720."""
    words = ["calibrate", "--videos", *(str(WAVING / f"cam_{k}.mp4") for k in range(4))]
    words += ["--timestamps", str(WAVING / "timestamps.csv"), "--intrinsics", str(WAVING / "camera_array.toml")]
    words += ["--squares", "4x5", "--square-mm", "54", "--dictionary", "DICT_4X4_1000", "--inverted", "--every", "4"]
    assert main([*words, "--output", str(tmp_path / "cameras.toml")]) == 0
    theirs, ours = load_cameras(WAVING / "camera_array.toml"), load_cameras(tmp_path / "cameras.toml")
    for k in (1, 2, 3):
        away = [float(np.linalg.norm(rig[k].position_mm - rig[0].position_mm)) for rig in (theirs, ours)]
        assert away[1] == pytest.approx(away[0], rel=0.03)

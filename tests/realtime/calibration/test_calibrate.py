"""A camera is found again from pictures of the board; the board comes out of the printer in millimetres."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engines.errors import UserError
from engines.geometry.pinhole import rays
from realtime.calibrate import main
from realtime.calibration.board import Board, View
from realtime.calibration.collect import Collector
from realtime.calibration.coverage import TILTS, cells, missing, slope, tilts
from realtime.calibration.feedback import draw_progress
from realtime.calibration.sheet import PAPERS_MM, draw_sheet, write_sheet
from realtime.calibration.solve import FEWEST_VIEWS, solve
from realtime.camera_space.intrinsics import load_intrinsics
from realtime.messages import Frame
from tests.support.board_pictures import LENS, MATRIX, SIZE, picture_of, poses

CHARUCO = Board("charuco")
CHESSBOARD = Board("chessboard", 6, 9, 28.0)


def projected(board: Board, turn: np.ndarray, place: np.ndarray, name: str = "a", noise_px: float = 0.0) -> View:
    """The board's corners where OpenCV projects them."""
    x, y = np.meshgrid(np.arange(1, board.columns), np.arange(1, board.rows))
    corners = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) * board.square_mm
    middle = np.array([board.columns, board.rows, 0]) * board.square_mm / 2
    shown, _ = cv2.projectPoints(corners - middle, turn, place, MATRIX, np.array(LENS.distortion))
    noise = np.random.default_rng(zlib.crc32(name.encode())).normal(0, noise_px, (len(corners), 2))
    return View(name, (shown[:, 0] + noise).astype(np.float32), corners.astype(np.float32))


@pytest.fixture(scope="module")
def views() -> list[np.ndarray]:
    """Pictures of the ChArUco board, enough for a camera; each takes a tenth of a second to draw."""
    return [picture_of(CHARUCO, turn, place) for turn, place in poses(14)]


@pytest.mark.parametrize("board", [CHARUCO, CHESSBOARD])
def test_corners_lie_where_they_were_projected(board: Board) -> None:
    turn, place = np.array([0.3, -0.35, 0.2]), np.array([10.0, -12.0, 420.0])
    view = board.find(picture_of(board, turn, place), "a")
    assert view is not None
    truth = projected(board, turn, place).corners_px
    nearest = np.linalg.norm(view.corners_px[:, None] - truth[None], axis=-1).min(axis=1)
    assert len(view.corners_px) >= 0.9 * len(truth)
    assert np.median(nearest) < 0.15


def test_pictures_of_the_board_give_the_camera_back(
    tmp_path: Path, views: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    for i, view in enumerate(views):
        cv2.imwrite(str(tmp_path / f"{i}.png"), view)
    output = tmp_path / "out" / "camera.json"
    assert main(["--images", str(tmp_path), "--output", str(output), "--headless"]) == 0
    found = load_intrinsics(output, SIZE)
    np.testing.assert_allclose(found.as_array(), LENS.as_array(), atol=2.0)
    x, y = np.meshgrid(np.linspace(30, 610, 8), np.linspace(30, 450, 6))
    pixels = np.stack([x, y], axis=-1)
    off_px = np.abs(rays(pixels, found) - rays(pixels, LENS)).max() * LENS.fx
    assert off_px < 1.5
    assert json.loads(output.read_text())["reprojection_error_px"] < 0.3
    assert "use it with python run_demo.py --intrinsics" in capsys.readouterr().out


def test_a_board_that_reads_backwards_says_that_the_source_is_mirrored(
    tmp_path: Path, views: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    for i, view in enumerate(views):
        cv2.imwrite(str(tmp_path / f"{i}.png"), view[:, ::-1])
    words = ["--images", str(tmp_path), "--output", str(tmp_path / "camera.json"), "--headless"]
    assert main(words) == 2
    assert "add --set camera.mirrored=true" in capsys.readouterr().err
    assert main([*words, "--set", "camera.mirrored=true"]) == 0
    found = load_intrinsics(tmp_path / "camera.json", SIZE)
    np.testing.assert_allclose(found.as_array(), LENS.as_array(), atol=2.0)
    assert not CHARUCO.is_mirrored(views[0])
    assert not CHESSBOARD.is_mirrored(picture_of(CHESSBOARD, *poses(1)[0])[:, ::-1])


def test_exact_corners_give_the_exact_camera() -> None:
    found = solve([projected(CHARUCO, *pose, name=str(i)) for i, pose in enumerate(poses(15))], SIZE, 4)
    np.testing.assert_allclose(found.intrinsics.as_array(), LENS.as_array(), atol=0.05)
    np.testing.assert_allclose(found.intrinsics.distortion, LENS.distortion, atol=1e-3)
    assert found.error_px < 0.01
    assert not found.dropped


def test_the_focal_length_is_as_unsure_as_it_says() -> None:
    """Over repeated noise the error of fx has the spread that each solution announces."""
    z = []
    for k in range(12):
        views = [projected(CHARUCO, *pose, name=f"{k}-{i}", noise_px=0.3) for i, pose in enumerate(poses(10, seed=k))]
        found = solve(views, SIZE, 4)
        z.append((found.intrinsics.fx - LENS.fx) / found.focal_sigma_px)
        assert found.error_px == pytest.approx(0.3 * np.sqrt(2), rel=0.15)
    assert 0.5 < np.sqrt(np.mean(np.square(z))) < 1.8


def test_a_bad_view_is_dropped_and_named() -> None:
    views = [projected(CHARUCO, *pose, name=f"good {i}", noise_px=0.1) for i, pose in enumerate(poses(12))]
    spoiled = replace(
        views[3], name="bad", corners_px=views[3].corners_px + np.float32([[0, 6], [6, 0]] * 17 + [[0, 0]])
    )
    found = solve([*views, spoiled], SIZE, 4)
    assert list(found.dropped) == ["bad"]
    assert found.dropped["bad"] > 1
    with pytest.raises(UserError, match="too few"):
        solve(views[:5], SIZE)


def test_coverage_names_what_is_missing() -> None:
    flat = projected(CHARUCO, np.zeros(3), np.array([0.0, 0.0, 1500.0]))
    counts = cells([flat], SIZE)
    assert counts.sum() == len(flat.corners_px)
    words = missing(counts, tilts([slope(flat, SIZE)]))
    assert {"top left", "bottom right", *TILTS} <= set(words)
    for turn, name in (((0, 0.5, 0), 1), ((0, -0.5, 0), 0), ((0.5, 0, 0), 2), ((-0.5, 0, 0), 3)):
        tilted = projected(CHARUCO, np.array(turn, float), np.array([0.0, 0.0, 420.0]))
        assert np.flatnonzero(tilts([slope(tilted, SIZE)])).tolist() == [name]
    everything = [projected(CHARUCO, *pose) for pose in poses(36)]
    assert not missing(cells(everything, SIZE), tilts([slope(view, SIZE) for view in everything]))


def test_the_collector_takes_new_and_steady_views_only() -> None:
    collector = Collector(CHARUCO, SIZE, wanted=3)
    here, there = (picture_of(CHARUCO, *pose) for pose in poses(6)[4:])
    empty = np.full((480, 640, 3), 120, np.uint8)
    steps = [here, here, here, there, there, empty, there]
    progress = [collector(Frame(i, i / 30, image)) for i, image in enumerate(steps)]
    assert [step.taken for step in progress] == [False, True, False, False, True, False, False]
    assert progress[3].hint == "hold the board still"
    assert progress[5].hint == "no board in the picture"
    assert "show it at" in progress[1].hint
    assert not collector.done
    drawn = draw_progress(here, collector, progress[4])
    assert drawn.shape == here.shape and (drawn != here).any()


@pytest.mark.parametrize("paper", PAPERS_MM)
@pytest.mark.parametrize("board", [CHARUCO, CHESSBOARD])
def test_the_sheet_is_exact_in_millimetres(tmp_path: Path, board: Board, paper: str) -> None:
    if board is CHESSBOARD and paper == "letter":
        board = Board("chessboard", 6, 9, 25.0)
    for suffix in (".png", ".pdf"):
        write_sheet(board, paper, tmp_path / f"board{suffix}")
    with Image.open(tmp_path / "board.png") as image:
        page, dpi = np.asarray(image), image.info["dpi"][0]
    assert dpi == pytest.approx(254, abs=0.01)
    np.testing.assert_allclose(np.array(page.shape[::-1]) / dpi * 25.4, PAPERS_MM[paper], atol=0.05)
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", (tmp_path / "board.pdf").read_bytes())
    assert box is not None
    np.testing.assert_allclose([float(v) / 72 * 25.4 for v in box.groups()], PAPERS_MM[paper], atol=0.05)
    dark = np.flatnonzero((~page[: page.shape[0] - 250]).any(axis=0))
    assert (dark[-1] - dark[0] + 1) / 10 == board.columns * board.square_mm


def test_the_sheet_seen_from_the_front_holds_the_whole_board() -> None:
    page = cv2.cvtColor(draw_sheet(CHARUCO, "a4"), cv2.COLOR_GRAY2BGR)
    view = CHARUCO.find(np.asarray(cv2.resize(page, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), np.uint8), "a")
    assert view is not None and len(view.corners_px) == 5 * 7
    step = np.linalg.norm(view.corners_px[1] - view.corners_px[0])
    assert step / 4 == pytest.approx(CHARUCO.square_mm, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--board", "b.txt"], "ends in .pdf or .png"),
        (["--board", "b.pdf", "--squares", "six"], "COLUMNSxROWS"),
        (["--board", "b.pdf", "--squares", "6x8", "--kind", "chessboard"], "upside down"),
        (["--board", "b.pdf", "--square-mm", "60"], "do not fit on a4"),
        (["--board", "b.pdf", "--squares", "1x8"], "a board of 1x8"),
        (["--images", "nowhere"], "no such folder"),
        (["--video", "nowhere.mp4"], "nowhere.mp4"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--headless"] if "--images" in arguments else arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert problem in error
    assert not list(tmp_path.iterdir())


def test_a_board_counted_by_its_inner_corners_gets_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "views").mkdir()
    for i, pose in enumerate(poses(FEWEST_VIEWS)):
        cv2.imwrite(f"views/{i}.png", picture_of(CHESSBOARD, *pose))
    board = ["--kind", "chessboard", "--square-mm", str(CHESSBOARD.square_mm), "--images", "views", "--headless"]
    columns, rows = CHESSBOARD.columns, CHESSBOARD.rows
    assert main([*board, "--squares", f"{columns - 1}x{rows - 1}"]) == 2
    assert f"inner corners is --squares {columns}x{rows}" in capsys.readouterr().err

"""Where several cameras are and how they see, from videos of one board that they see together.

Print the board (python -m realtime.calibrate --board board.pdf), film it with all cameras at once: tilted, near and
far, slowly, and wherever two cameras see it together.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.errors import UserError
from realtime.calibration.board import DICTIONARY, Board, parse_squares
from realtime.calibration.solve import COEFFICIENTS
from training.annotation.calibration.together import calibrate_together, report_text
from training.annotation.cameras.files import load_cameras, save_cameras
from training.annotation.recordings.gather import moments_of
from training.annotation.recordings.moments import read_times
from training.command import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("--videos", type=Path, nargs="+", required=True, help="of the board, one a camera")
    parser.add_argument("--output", type=Path, default=Path("cameras.toml"), help="where the cameras go (cameras.toml)")
    parser.add_argument("--output-unit", choices=("mm", "m"), default="mm", help="m for Pose2Sim")
    parser.add_argument("--names", nargs="+", help="of the cameras (the videos' names)")
    parser.add_argument("--timestamps", type=Path, help="csv with sync_index, cam_id, frame_index, frame_time")
    parser.add_argument("--offsets", nargs="+", default=[], help="seconds at which each video began, or auto")
    parser.add_argument(
        "--intrinsics", type=Path, help="cameras whose lenses are known already: only places are sought"
    )
    parser.add_argument("--unit", help="what the lengths of --intrinsics are in, where it does not say so")
    parser.add_argument("--kind", choices=("charuco", "chessboard"), default="charuco", help="the board")
    parser.add_argument("--squares", default="6x8", metavar="CxR", help="columns and rows of squares (6x8)")
    parser.add_argument("--square-mm", type=float, default=30.0, metavar="MM", help="side of a square, measured (30)")
    parser.add_argument("--dictionary", default=DICTIONARY, help=f"of the markers ({DICTIONARY}), as OpenCV calls it")
    parser.add_argument("--inverted", action="store_true", help="the board is white on black")
    parser.add_argument("--coefficients", type=int, choices=COEFFICIENTS, default=4, help="of distortion (4)")
    parser.add_argument("--every", type=positive, default=1, help="look at every so manieth moment (1)")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    if len(a.videos) < 2:
        raise UserError("one video: for one camera there is python -m realtime.calibrate")
    try:
        columns, rows = parse_squares(a.squares)
    except ValueError as error:
        raise UserError(f"--squares {a.squares}: write it as COLUMNSxROWS, such as 6x8") from error
    board = Board(a.kind, columns, rows, a.square_mm, a.dictionary, a.inverted)
    names = a.names or [video.stem for video in a.videos]
    if len(names) != len(a.videos) or len(set(names)) != len(names):
        raise UserError("--names: one for each video, all different")
    times = [read_times(video) for video in a.videos]
    moments = moments_of(times, names, a.timestamps, a.offsets)
    known = None
    if a.intrinsics is not None:
        rig = load_cameras(a.intrinsics, a.unit, [video.size_px for video in times])
        if len(rig) != len(names):
            raise UserError(f"{a.intrinsics}: holds {len(rig)} cameras for {len(names)} videos; one for each is needed")
        known = [camera.intrinsics for camera in rig]
    found = calibrate_together(board, names, a.videos, moments.frames, a.coefficients, known, a.every)
    print(report_text(found))
    notes = {"error": round(found.adjusted.error_px, 4)}
    save_cameras(a.output, found.rig, a.output_unit, notes)
    print(f"written     {a.output} ({a.output_unit})")

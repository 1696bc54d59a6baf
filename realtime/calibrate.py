"""Calibrate a camera: `python -m realtime.calibrate --board board.pdf`, print it, then `... --camera 0`.

Show the printed board in all parts of the picture and tilted in all directions, holding still now and then; the
program takes the views it needs and writes the file that `run_demo.py --intrinsics` takes. See docs/calibration.md.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path

from engines.errors import UserError
from engines.terminal import command
from realtime.calibration.board import Board, parse_squares
from realtime.calibration.collect import MIRRORED, Collector
from realtime.calibration.feedback import Feedback, window_opens
from realtime.calibration.sheet import PAPERS_MM, SUFFIXES, write_sheet
from realtime.calibration.solve import COEFFICIENTS, FEWEST_VIEWS, Solution, solve
from realtime.camera_space.calibration_file import save_intrinsics
from realtime.camera_space.intrinsics import checked
from realtime.command import CommandParser, exit_code
from realtime.files import check_output
from realtime.layers import load_settings
from realtime.sources.opening import Source, open_source

CALIBRATION_SUFFIXES = (".json", ".yaml", ".yml")
_GOOD_PX = 1.0
_GOOD_FOCAL_SHARE = 0.01


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parsed(argv)
    return exit_code(lambda: run(options), "interrupted; nothing was written")


def run(options: argparse.Namespace) -> None:
    """Print the board, or look for it, solve and write. Raises UserError."""
    try:
        columns, rows = parse_squares(options.squares)
    except ValueError as error:
        raise UserError(f"--squares {options.squares}: write it as COLUMNSxROWS, such as 6x8") from error
    board = Board(options.kind, columns, rows, options.square_mm)
    if options.board is not None:
        check_output("--board", options.board, SUFFIXES, [])
        write_sheet(board, options.paper, options.board)
        print(f"board       {options.board}; print it at 100 % and check its ruler")
        return
    inputs = [path for path in (options.video,) if path is not None]
    check_output("--output", options.output, CALIBRATION_SUFFIXES, inputs)
    settings = load_settings(options.config, options.set)
    source = open_source(settings.camera, camera=options.camera, video=options.video, images=options.images)
    with closing(source):
        collector = Collector(board, source.size_px, options.views, options.images is None, options.coefficients)
        collect(source, collector, Feedback(not options.headless and window_opens()), options.seconds)
    if not collector.views and collector.mirrored:
        raise UserError(MIRRORED)
    if len(collector.views) < FEWEST_VIEWS and options.kind == "chessboard":
        raise UserError(
            f"{len(collector.views)} good views of the board are too few; show it in at least {FEWEST_VIEWS}. "
            f"--squares counts squares: a board of {columns}x{rows} inner corners is --squares {columns + 1}x{rows + 1}"
        )
    solution = solve(collector.views, source.size_px, options.coefficients)
    print("\n".join(report(solution, collector.missing)))
    notes = {"reprojection_error_px": round(solution.error_px, 4), "views": len(solution.view_errors_px)}
    save_intrinsics(options.output, checked(solution.intrinsics, source.size_px, "the result"), source.size_px, notes)
    print(f"written     {options.output}; use it with python run_demo.py --intrinsics {options.output}")


def collect(source: Source, collector: Collector, feedback: Feedback, seconds: float | None) -> None:
    """Feed the source to the collector until it has enough (a camera), ends, time is up, or the user says so."""
    end_s = None if seconds is None else time.monotonic() + seconds
    with closing(feedback), source:
        for frame in source:
            progress = collector(frame)
            if not feedback.show(frame.image_bgr, collector, progress):
                return
            if (source.is_live and collector.done) or (end_s is not None and time.monotonic() > end_s):
                return


def report(solution: Solution, missing: list[str]) -> list[str]:
    """How good the calibration is, and what would make it better."""
    i, (width, height) = solution.intrinsics, solution.size_px
    errors = sorted(solution.view_errors_px.items(), key=lambda item: -item[1])
    lines = [
        f"views       {len(errors)} used, {len(solution.dropped)} dropped",
        f"error       {solution.error_px:.3f} px; worst views: "
        + ", ".join(f"{name} {error:.2f}" for name, error in errors[:3]),
        f"focal       {i.fx:.1f}, {i.fy:.1f} px +-{solution.focal_sigma_px:.1f} for {width}x{height}",
        f"centre      {i.cx:.1f}, {i.cy:.1f} px",
        f"distortion  {', '.join(f'{v:.4f}' for v in i.distortion) or 'none'}",
    ]
    lines[1:1] = [f"dropped     {name}: {error:.2f} px" for name, error in solution.dropped.items()]
    if missing:
        lines.append(f"warning: not covered: {', '.join(missing)}")
    if solution.error_px > _GOOD_PX:
        lines.append("warning: the error is large: is the board flat, its size right, the picture sharp?")
    if solution.focal_sigma_px > _GOOD_FOCAL_SHARE * i.fx:
        lines.append("warning: the focal length is unsure: tilt the board more, come nearer")
    return lines


def _parsed(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser("python -m realtime.calibrate", __doc__)
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add("--board", type=Path, metavar="board.pdf", help="write the board to print, PDF or PNG, and end")
    add("--camera", metavar="ID", help="camera by number (0), device or address")
    add("--video", type=Path, metavar="FILE", help="a recording of the board")
    add("--images", type=Path, metavar="DIR", help="a folder of pictures of the board, each held still")
    add = parser.add_argument
    add("--output", type=Path, default=Path("camera.json"), metavar="FILE", help="where the result goes (camera.json)")
    add("--kind", choices=("charuco", "chessboard"), default="charuco", help="the board (charuco: may be partly seen)")
    add("--squares", default="6x8", metavar="CxR", help="columns and rows of squares (6x8; for a chessboard take 6x9)")
    add("--square-mm", type=float, default=30.0, metavar="MM", help="side of a square (30)")
    add("--paper", choices=tuple(PAPERS_MM), default="a4", help="page to print on")
    add("--views", type=int, default=20, metavar="N", help="views to take from a camera (20)")
    add("--coefficients", type=int, choices=COEFFICIENTS, default=4, help="of distortion (4; wide lenses: 5, 8)")
    add("--seconds", type=float, metavar="N", help="stop looking after so long")
    add("--headless", action="store_true", help="open no window")
    add("--config", type=Path, metavar="FILE", help="a settings file, for the camera's size and rate")
    add("--set", action="append", default=[], metavar="A.B=VALUE", help="change a setting, such as camera.width=1280")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())

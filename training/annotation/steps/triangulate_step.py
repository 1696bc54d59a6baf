"""Joints in space from what the cameras saw: hands.npz, report.json, and pictures of the reprojections."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engines.errors import UserError
from realtime.command import above_zero
from training.annotation.recordings.recording import Recording, load_recording, write_text
from training.annotation.reports.figures import Figures, as_tree, figures_of, report_text
from training.annotation.reports.pictures import write_reprojections
from training.annotation.triangulation.delays import estimate_delays, without_delays
from training.annotation.triangulation.hands import Hands, save_hands
from training.annotation.triangulation.health import judge_cameras
from training.annotation.triangulation.observations import Observations, observe
from training.annotation.triangulation.solve import MOST_SIGMA_MM, SolveSettings, solve
from training.annotation.workplace import HANDS, PICTURES, REPORT, load_all, newest_detections
from training.json_numbers import without_nan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording")
    parser.add_argument("--detections", help="which detector's (the newest), such as both-guided")
    add_solver_arguments(parser)


def add_solver_arguments(parser: argparse.ArgumentParser) -> None:
    """What the solver is asked, shared with `label`."""
    parser.add_argument("--no-bones", action="store_true", help="let bones change their length over the recording")
    parser.add_argument("--smooth-s", type=float, default=0.0, metavar="S", help="Gaussian over time (0: none)")
    parser.add_argument(
        "--most-sigma-mm",
        type=above_zero,
        default=MOST_SIGMA_MM,
        metavar="MM",
        help="joints less sure are no labels (10)",
    )
    parser.add_argument(
        "--delays",
        nargs="+",
        default=["auto"],
        help="auto: cameras that are late by a quarter of a frame or more are corrected (of three or more); or seconds",
    )
    parser.add_argument("--pictures", type=int, default=8, metavar="N", help="moments to draw (8)")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    recording = load_recording(a.folder)
    folder = a.folder / "detections" / a.detections if a.detections else newest_detections(a.folder)
    triangulate(recording, folder, settings_of(a), a.pictures, a.delays)


def settings_of(arguments: argparse.Namespace) -> SolveSettings:
    """The solver's settings."""
    a = arguments
    return SolveSettings(bones=not a.no_bones, smooth_s=a.smooth_s, most_sigma_mm=a.most_sigma_mm)


def with_delays(
    settings: SolveSettings, seen: Observations, recording: Recording, delays: Sequence[str]
) -> SolveSettings:
    """The settings with the cameras' delays, estimated or as given; says those that are not zero."""
    if list(delays) == ["auto"]:
        values = [float(v) for v in estimate_delays(seen, recording.t_s)]
    else:
        try:
            values = [float(v) for v in delays]
        except ValueError as error:
            raise UserError(f"--delays {' '.join(delays)}: auto, 0, or seconds for each camera") from error
        values = values * len(recording.rig) if len(values) == 1 and not values[0] else values
    if len(values) != len(recording.rig):
        raise UserError(f"--delays: {len(values)} numbers for {len(recording.rig)} cameras; give one for each, or auto")
    for name, value in zip(recording.names, values, strict=True):
        if value:
            print(f"delay       {name}: {value * 1e3:+.0f} ms against the others, corrected")
    return replace(settings, delays_s=tuple(values))


def triangulate(
    recording: Recording, detections: Path, settings: SolveSettings, pictures: int, delays: Sequence[str] = ("auto",)
) -> tuple[Hands, Figures]:
    """Solve, save, report; raises UserError."""
    seen = observe(recording.rig, load_all(detections, recording.names), recording.frames)
    settings = with_delays(settings, seen, recording, delays)
    solution = solve(seen, recording.t_s, settings)
    health = judge_cameras(without_delays(seen, recording.t_s, settings.delays_s), recording.t_s)
    figures = figures_of(solution, recording.names)
    save_hands(recording.folder / HANDS, solution.hands)
    tree = {"detections": detections.name, **as_tree(figures, health)}
    write_text(recording.folder / REPORT, json.dumps(without_nan(tree), indent=2) + "\n")
    print(report_text(figures, health))
    shown = np.flatnonzero(solution.hands.accepted.any(axis=1))
    if pictures > 0 and len(shown):
        picked = shown[np.unique(np.linspace(0, len(shown) - 1, pictures).round().astype(int))]
        folder = recording.folder / PICTURES
        write_reprojections(recording, solution.hands, folder, [int(m) for m in picked])
        print(f"pictures    {folder}; look at them")
    if not len(shown):
        print("warning: no hands: no camera pair agrees on any; look at the videos and the calibration")
    return solution.hands, figures

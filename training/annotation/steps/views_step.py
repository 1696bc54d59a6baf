"""The error against the number of views: table, views.json and the figure, beside the paper's figure 4."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.command import above_zero
from training.annotation.accuracy.figure import check_figure, draw_figure
from training.annotation.accuracy.views import ViewsRow, error_by_views, table
from training.annotation.recordings.recording import Recording, load_recording, write_text
from training.annotation.triangulation.delays import without_delays
from training.annotation.triangulation.hands import Hands, load_hands
from training.annotation.triangulation.observations import observe
from training.annotation.triangulation.solve import MOST_SIGMA_MM, SolveSettings
from training.annotation.workplace import TRUTH, detections_used, labelled_hands, load_all
from training.command import natural, positive
from training.json_numbers import without_nan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folders", type=Path, nargs="+", help="recordings; several give several curves")
    parser.add_argument("--truth", type=Path, help="hands to measure against (truth.npz, else hands.npz)")
    parser.add_argument("--draws", type=positive, default=100, help="random choices of views for each number (100)")
    parser.add_argument("--moments", type=positive, help="use so many moments, spread evenly (all)")
    parser.add_argument("--detections", help="which detector's (those of hands.npz)")
    parser.add_argument("--no-bones", action="store_true", help="without the prior on bones, as the paper's")
    parser.add_argument(
        "--most-sigma-mm", type=above_zero, default=MOST_SIGMA_MM, metavar="MM", help="accept no joint less sure (10)"
    )
    parser.add_argument("--seed", type=natural, default=0, help="other draws")
    parser.add_argument("--figure", type=Path, help="where the figure goes (views.png in the first folder)")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    figure = a.figure or a.folders[0] / "views.png"
    check_figure(figure)
    curves = {}
    for folder in a.folders:
        recording = load_recording(folder)
        truth, words = _truth(recording, a.truth)
        print(f"{folder}: against {words}")
        curves[folder.name] = _curve(recording, truth, a)
        print(table(curves[folder.name]))
        rows = [asdict(row) for row in curves[folder.name]]
        write_text(folder / "views.json", json.dumps(without_nan({"against": words, "rows": rows}), indent=2) + "\n")
    draw_figure(figure, curves)
    print(f"figure      {figure}")


def _curve(recording: Recording, truth: Hands, a: argparse.Namespace) -> list[ViewsRow]:
    detections = recording.folder / "detections" / a.detections if a.detections else detections_used(recording.folder)
    seen = observe(recording.rig, load_all(detections, recording.names), recording.frames)
    check_truth(truth, recording.t_s)
    # late cameras are corrected as they were for the truth; the renderer's are not late
    seen = without_delays(seen, recording.t_s, truth.delays_s.tolist())
    known = np.flatnonzero(truth.accepted.any(axis=1))
    if not len(known):
        raise UserError("the truth has no joint that is accepted: nothing to measure against")
    count = min(a.moments or len(known), len(known))
    rows = known[np.unique(np.linspace(0, len(known) - 1, count).round().astype(int))]
    per_moment = {name: value[rows] for name, value in vars(truth).items() if name != "delays_s"}
    part = Hands(**per_moment, delays_s=truth.delays_s)
    return error_by_views(
        seen.of_moments(rows),
        part,
        a.draws,
        SolveSettings(bones=not a.no_bones, most_sigma_mm=a.most_sigma_mm),
        a.seed,
        lambda text: print(text, flush=True),
    )


def check_truth(truth: Hands, t_s: NDArray[np.float64]) -> None:
    """Raise UserError if hands are not of a recording with these times."""
    if len(truth.t_s) != len(t_s):
        raise UserError(f"the truth has {len(truth.t_s)} moments, the recording {len(t_s)}: it is not of this one")


def _truth(recording: Recording, named: Path | None) -> tuple[Hands, str]:
    if named is not None:
        return load_hands(named), str(named)
    if (recording.folder / TRUTH).exists():
        return load_hands(recording.folder / TRUTH), "the renderer's truth"
    return labelled_hands(recording), "its own solution from all views"

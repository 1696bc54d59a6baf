"""The whole calibration: find the board, lenses one by one, places, everything together (one thread)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from realtime.calibration.board import Board
from training.annotation.calibration.bundle import Adjusted, adjust
from training.annotation.calibration.placing import place_cameras
from training.annotation.calibration.sightings import Sightings, find_boards, lens_of, shared_moments
from training.annotation.cameras.camera import Camera, Rig

_GOOD_PX: Final = 1.0
_MOST_BOARDS: Final = 250
"""Moments that are adjusted; more take minutes and change nothing."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Cameras, and how well they fit."""

    rig: Rig
    adjusted: Adjusted
    shared: NDArray[np.int64]
    """(V, V) moments that show the board to both."""
    warnings: tuple[str, ...]


def calibrate_together(
    board: Board,
    names: Sequence[str],
    videos: Sequence[Path],
    frames: NDArray[np.int64],
    coefficients: int,
    known: Sequence[Intrinsics] | None = None,
    every: int = 1,
    say: Callable[[str], None] = print,
) -> Calibrated:
    """Calibrate; `frames` (M, V) as in a recording, `known` lenses stay as they are. Raises UserError."""
    seen = []
    for view, (name, video) in enumerate(zip(names, videos, strict=True)):
        seen.append(find_boards(board, name, video, frames[:, view], every))
        say(f"board       {name}: in {len(seen[-1].views)} pictures")
    return solve_together(seen, coefficients, known, say)


def solve_together(
    seen: Sequence[Sightings],
    coefficients: int,
    known: Sequence[Intrinsics] | None = None,
    say: Callable[[str], None] = print,
) -> Calibrated:
    """The same from boards that were found. Raises UserError."""
    shared = shared_moments(seen)
    empty = [one.name for one in seen if not one.views]
    if empty:
        raise UserError(f"camera {empty[0]}: never shows the board; check --kind, --squares and --dictionary")
    lenses = list(known or ())
    for one in seen if known is None else ():
        found = lens_of(one, coefficients)
        say(f"lens        {one.name}: error {found.error_px:.2f} px, focal {found.intrinsics.fx:.0f} px")
        lenses.append(found.intrinsics)
    cameras, boards = place_cameras(seen, lenses)
    several = [m for m in boards if sum(m in one.views for one in seen) > 1]
    step = max(1, len(several) // _MOST_BOARDS)
    kept = {m: boards[m] for m in several[::step]}
    adjusted = adjust(seen, lenses, cameras, kept, free_lenses=known is None and coefficients in (4, 5))
    rig = tuple(
        Camera(one.name, one.size_px, lens, pose.rotation, pose.shift_mm)
        for one, lens, pose in zip(seen, adjusted.lenses, adjusted.cameras, strict=True)
    )
    return Calibrated(rig, adjusted, shared, tuple(_warnings(seen, adjusted)))


def report_text(found: Calibrated) -> str:
    """How good it is."""
    a = found.adjusted
    lines = [f"error       {a.error_px:.2f} px over {a.corners} corners, {a.left_out} left out"]
    first = found.rig[0].position_mm
    for k, camera in enumerate(found.rig):
        others = ", ".join(str(int(n)) for j, n in enumerate(found.shared[k]) if j != k)
        away = np.linalg.norm(camera.position_mm - first)
        lines.append(
            f"{camera.name:12}{a.camera_error_px[k]:.2f} px median, focal {camera.intrinsics.fx:.0f} px, "
            f"{away:.0f} mm from {found.rig[0].name}; shares {others} moments with the others"
        )
    return "\n".join([*lines, *(f"warning: {line}" for line in found.warnings)])


def _warnings(seen: Sequence[Sightings], adjusted: Adjusted) -> list[str]:
    lines = []
    middle = float(np.median(adjusted.camera_error_px))
    for one, error in zip(seen, adjusted.camera_error_px, strict=True):
        if error > max(_GOOD_PX, 2.5 * middle):
            lines.append(f"camera {one.name}: fits worse than the others; did it move, or is it late?")
    if adjusted.error_px > 2 * _GOOD_PX:
        lines.append("the error is large: is the board flat and its size right, are the videos of the same time?")
    if adjusted.left_out > 0.1 * (adjusted.corners + adjusted.left_out):
        lines.append("a tenth of the corners was left out: cameras that are not synchronised need a still board")
    return lines

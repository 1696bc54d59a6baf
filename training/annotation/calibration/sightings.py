"""The board in the pictures of several cameras (one thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.calibration.board import Board, View
from realtime.calibration.coverage import is_new, slope
from realtime.calibration.solve import FEWEST_VIEWS, Solution, solve
from realtime.sources.recording import VideoSource

MOST_FOR_LENS: Final = 40
"""Views that a camera's own calibration takes; more are slow and bring nothing."""


@dataclass(frozen=True, eq=False)
class Sightings:
    """The board as one camera saw it."""

    name: str
    size_px: tuple[int, int]
    views: dict[int, View]
    """By moment."""


def find_boards(board: Board, name: str, video: Path, frame_of_moment: NDArray[np.int64], every: int = 1) -> Sightings:
    """Look for the board at every so manieth moment; raises UserError if the video cannot be read."""
    moment_of = {int(f): m for m, f in enumerate(frame_of_moment) if f >= 0 and m % every == 0}
    views: dict[int, View] = {}
    with VideoSource(video) as source:
        for frame in source:
            moment = moment_of.get(frame.index)
            found = None if moment is None else board.find(frame.image_bgr, f"{name} moment {moment}")
            if moment is not None and found is not None:
                views[moment] = found
        return Sightings(name, source.size_px, views)


def lens_of(seen: Sightings, coefficients: int) -> Solution:
    """The camera's own calibration from views that differ; raises UserError if there are too few."""
    chosen: list[View] = []
    slopes: list[NDArray[np.float64]] = []
    for view in seen.views.values():
        own = slope(view, seen.size_px)
        if len(chosen) < MOST_FOR_LENS and is_new(view, own, chosen, slopes, seen.size_px):
            chosen.append(view)
            slopes.append(own)
    if len(chosen) < FEWEST_VIEWS:
        raise UserError(
            f"camera {seen.name}: shows the board in {len(seen.views)} pictures, {len(chosen)} of them different; "
            f"at least {FEWEST_VIEWS} are needed: show it nearer, tilted, everywhere, or give --intrinsics"
        )
    try:
        return solve(chosen, seen.size_px, coefficients)
    except UserError as error:
        raise UserError(f"camera {seen.name}: {error}") from error


def shared_moments(seen: Sequence[Sightings]) -> NDArray[np.int64]:
    """(V, V) how many moments show the board to both of two cameras."""
    sets = [set(one.views) for one in seen]
    return np.array([[len(a & b) for b in sets] for a in sets], np.int64)

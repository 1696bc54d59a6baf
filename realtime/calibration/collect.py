"""Picks views to calibrate with out of a stream of pictures: each shows something new, none is blurred (one thread)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.calibration.board import Board, View
from realtime.calibration.coverage import cells, is_new, missing, slope, tilts
from realtime.calibration.solve import FEWEST_VIEWS, solve
from realtime.messages import Frame

MOST_VIEWS: Final = 80
"""More make OpenCV slow and nothing better."""
_STEADY_PX_S: Final = 0.15
"""A board that moves by more than this share of the picture's width in a second is blurred, or bent by the shutter."""
_SOLVE_EVERY: Final = 5
_LOOK_MIRRORED_EVERY: Final = 8
"""Of the pictures without a board, so many are passed over for one that is looked at mirrored: it takes its time."""
MIRRORED: Final = "the pictures are a mirror's (the board reads backwards): add --set camera.mirrored=true"


@dataclass(frozen=True)
class Progress:
    """What one picture brought."""

    seen: View | None
    """The board in this picture."""
    taken: bool
    """It is one of the views now."""
    hint: str
    """What to do, in a few words."""


@dataclass
class Collector:
    """Takes pictures of `size_px` one by one; `views` are those to solve with."""

    board: Board
    size_px: tuple[int, int]
    wanted: int
    moving: bool = True
    """The pictures follow each other closely in time; False for a folder of single ones."""
    coefficients: int = 5
    mirrored: bool = False
    """The board was seen as in a mirror."""
    views: list[View] = field(default_factory=list)
    error_px: float | None = None
    """Of a solution in between."""
    _slopes: list[NDArray[np.float64]] = field(default_factory=list)
    _last: tuple[float, NDArray[np.float64]] | None = None
    _without: int = 0

    @property
    def counts(self) -> NDArray[np.int64]:
        """(3, 4) corners in each part of the picture."""
        return cells(self.views, self.size_px)

    @property
    def missing(self) -> list[str]:
        """Parts and tilts that no view covers yet."""
        return missing(self.counts, tilts(self._slopes))

    @property
    def done(self) -> bool:
        """Whether there is enough of everything."""
        return len(self.views) >= MOST_VIEWS or (len(self.views) >= self.wanted and not self.missing)

    def __call__(self, frame: Frame) -> Progress:
        """Look for the board in a frame and take it if it helps."""
        view = self.board.find(frame.image_bgr, f"picture {frame.index}")
        if view is None:
            self._last = None
            self._look_mirrored(frame)
            return Progress(None, False, MIRRORED if self.mirrored else "no board in the picture")
        if self.moving and not self._steady(view, frame.t_capture_s):
            return Progress(view, False, "hold the board still")
        view_slope = slope(view, self.size_px)
        if len(self.views) >= MOST_VIEWS or not is_new(view, view_slope, self.views, self._slopes, self.size_px):
            return Progress(view, False, self._wish())
        self.views.append(view)
        self._slopes.append(view_slope)
        self._solve_in_between()
        return Progress(view, True, self._wish())

    def _look_mirrored(self, frame: Frame) -> None:
        if not (self.mirrored or self.views) and self._without % _LOOK_MIRRORED_EVERY == 0:
            self.mirrored = self.board.is_mirrored(frame.image_bgr)
        self._without += 1

    def _steady(self, view: View, t_s: float) -> bool:
        """Whether the board is where it was in the picture before."""
        place = view.corners_px.mean(axis=0).astype(np.float64)
        before, self._last = self._last, (t_s, place)
        if before is None or t_s <= before[0]:
            return False
        speed = np.abs(place - before[1]).max() / (t_s - before[0])
        return bool(speed < _STEADY_PX_S * self.size_px[0])

    def _solve_in_between(self) -> None:
        if len(self.views) < FEWEST_VIEWS or len(self.views) % _SOLVE_EVERY:
            return
        try:
            self.error_px = solve(self.views, self.size_px, self.coefficients).error_px
        except UserError:
            self.error_px = None

    def _wish(self) -> str:
        if self.missing:
            return f"show it at: {', '.join(self.missing[:3])}"
        left = self.wanted - len(self.views)
        return f"{left} to go, anywhere" if left > 0 else "enough"

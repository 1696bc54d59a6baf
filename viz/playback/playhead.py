"""Where playback is in a recording: play, pause, step, speed (pure; one thread at a time)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.formats.steady import with_short_pauses

SLOWEST: Final = 1.0 / 16.0
FASTEST: Final = 16.0


class Playhead:
    """Follows a clock through time stamps (F,) that do not go back; F is at least 1. Long pauses are shortened.

    Stops at the last frame; playing on from there starts over.
    """

    def __init__(self, t_s: NDArray[np.float64], speed: float, now_s: float) -> None:
        self._t_s = with_short_pauses(t_s)
        self.speed = float(np.clip(speed, SLOWEST, FASTEST))
        self.paused = False
        self._played_s = 0.0
        self._asked_s = now_s

    @property
    def at_end(self) -> bool:
        """Whether the last frame is reached."""
        return self._played_s >= self._t_s[-1]

    @property
    def index(self) -> int:
        """Number of the frame that was shown last."""
        return self._index()

    def advance(self, now_s: float) -> int:
        """Number of the frame to show at `now_s` on the clock."""
        if not self.paused:
            self._played_s = min(self._played_s + (now_s - self._asked_s) * self.speed, float(self._t_s[-1]))
        self._asked_s = now_s
        return self._index()

    def toggle_pause(self) -> None:
        """Pause or play on; at the end, play from the start."""
        if self.at_end:
            self._played_s, self.paused = 0.0, False
        else:
            self.paused = not self.paused

    def step(self, frames: int) -> None:
        """Pause, and go this many frames on (or back)."""
        self.paused = True
        self._played_s = float(self._t_s[np.clip(self._index() + frames, 0, len(self._t_s) - 1)])

    def seek(self, frame: int) -> None:
        """Go to this frame, and pause: somebody is looking for a place."""
        self.paused = True
        self._played_s = float(self._t_s[np.clip(frame, 0, len(self._t_s) - 1)])

    def skip(self, seconds: float) -> None:
        """Go on (or back) by so many seconds; playing goes on."""
        self._played_s = float(np.clip(self._played_s + seconds, 0.0, self._t_s[-1]))

    def change_speed(self, factor: float) -> None:
        """Play faster or slower, between 1/16 and 16."""
        self.speed = float(np.clip(self.speed * factor, SLOWEST, FASTEST))

    def _index(self) -> int:
        """The last frame whose time has come."""
        return max(int(np.searchsorted(self._t_s, self._played_s + 1e-9, side="right")) - 1, 0)

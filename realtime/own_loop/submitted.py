"""Frames that another program hands in: the newest one waits, what it overwrites is a gap in the numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.handover import Mailbox
from realtime.messages import Frame
from realtime.own_loop.checks import checked_picture, checked_time

_AGAIN: Final = "a LiveHands sees one stream; make another one for another"


class SubmittedFrames:
    """One thread submits, another iterates; any may close."""

    is_live: Final = True

    def __init__(self) -> None:
        self._frames: Mailbox[Frame] = Mailbox()
        self._last_s = -math.inf
        self._count = 0
        self._closed = False

    def submit(self, frame_bgr: NDArray[np.uint8], t_s: float | None) -> None:
        """Leave a copy of a picture (H, W, 3) uint8 BGR taken at `t_s`, by default now. Raises UserError."""
        if self._closed:
            raise UserError("LiveHands: it is closed; make another one")
        image = checked_picture(frame_bgr)
        self._last_s = checked_time(time.monotonic() if t_s is None else t_s, self._last_s, _AGAIN)
        self._frames.put(Frame(self._count, self._last_s, image.copy()))
        self._count += 1

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time, until it is closed."""
        return iter(self._frames)

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
        self._frames.close()

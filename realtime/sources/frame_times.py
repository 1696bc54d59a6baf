"""When each frame of a recording is shown, whatever its time stamps say (pure; one thread at a time).

Time stamps repeat, turn back, or are off by hours, because a camera's clock was set, a stream was joined late or the
file is damaged. Whoever filters needs times that advance; whoever looks at a picture again needs the same times.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

FAR_S: Final = 1.0
"""A step of so much is looked at twice: is it a pause, or a wrong time stamp?"""
LOOK_AHEAD: Final = 4
"""So many frames show whether a jump lasts; more that are wrong in a row are taken for one that does."""

T = TypeVar("T")


class FrameTimes(Generic[T]):
    """`for frame, t_s in FrameTimes(frames, stamp_s, number, step_s)`: the first is at 0, each after the one before.

    `stamp_s(frame)` is its time stamp in seconds, None if it has none, and `number(frame)` counts those that lack, too.
    A frame's time is its stamp, but
    - without a stamp, so many steps after the one before as the numbers say;
    - one stamp, or a few in a row, that are far ahead or turn back, while later ones go on where the earlier left off,
      are wrong: such frames are spread evenly up to the next good one;
    - a jump ahead that lasts is a pause, and stays;
    - a jump back that lasts is a clock that was set: times go on one step later, at the new clock's pace.
    """

    def __init__(
        self, frames: Iterator[T], stamp_s: Callable[[T], float | None], number: Callable[[T], int], step_s: float
    ) -> None:
        self._frames = frames
        self._stamp_s, self._number = stamp_s, number
        self._step_s = step_s
        """The newest between two good stamps; what a file says of its rate is often wrong."""
        self._ahead: deque[T] = deque()
        self._zero_s: float | None = None
        """The stamp of time 0, on the clock that holds now."""
        self._last: tuple[int, float] | None = None

    def __iter__(self) -> Iterator[tuple[T, float]]:
        """Yield the frames with their times."""
        while True:
            frame = self._ahead.popleft() if self._ahead else next(self._frames, None)
            if frame is None:
                return
            yield frame, self._time_s(frame)

    def _time_s(self, frame: T) -> float:
        stamp_s, number = self._stamp_s(frame), self._number(frame)
        if self._last is None:
            time_s = 0.0
        else:
            last_s = self._last[1]
            after_s = last_s + self._step_s * max(number - self._last[0], 1)
            time_s = after_s if stamp_s is None or self._zero_s is None else self._judged_s(stamp_s, last_s, after_s)
        if self._zero_s is None and stamp_s is not None:
            self._zero_s = stamp_s - time_s
        self._last = number, time_s
        return time_s

    def _judged_s(self, stamp_s: float, last_s: float, after_s: float) -> float:
        """The time by the stamp, or `after_s` by the steps since `last_s` where the stamp is wrong."""
        assert self._zero_s is not None
        time_s = stamp_s - self._zero_s
        if last_s < time_s <= last_s + FAR_S:
            self._step_s = time_s - last_s
            return time_s
        coming_s = [math.nan if later_s is None else later_s - self._zero_s for later_s in self._coming()]
        ahead = time_s > last_s
        if ahead and not any(later_s < time_s for later_s in coming_s):
            return time_s
        for i, later_s in enumerate(coming_s):
            if last_s < later_s < (time_s if ahead else math.inf):
                return last_s + min((later_s - last_s) / (i + 2), FAR_S)
        if not ahead:
            self._zero_s = stamp_s - after_s
        return after_s

    def _coming(self) -> list[float | None]:
        """Stamps of the next few frames."""
        self._ahead.extend(islice(self._frames, LOOK_AHEAD - len(self._ahead)))
        return [self._stamp_s(frame) for frame in self._ahead]

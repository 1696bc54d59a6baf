"""Sources in real time: a thread captures, one slot holds its newest frame; and a recording played like a camera.

Iterate from one thread; `close` may be called from any. After `close` the iteration ends.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from realtime.handover import Mailbox
from realtime.messages import Frame
from realtime.sources.recording import VideoSource

JOIN_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
"""Of a recording that is played in real time."""

_log = logging.getLogger(__name__)


class LiveSource(ABC):
    """A thread that captures, and one slot from which the newest frame is taken."""

    is_live: Final = True
    frame_count: int | None = None
    name: str
    size_px: tuple[int, int]
    """(width, height) of every frame."""
    fps: float | None

    def __init__(self) -> None:
        """Prepare the thread; `__enter__` starts it."""
        self._frames: Mailbox[Frame] = Mailbox()
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._index = 0
        self._broken = 0
        # Daemon: a driver that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def dropped(self) -> int:
        """Frames that were overwritten by newer ones or came damaged, so far."""
        return self._frames.overwritten + self._broken

    @property
    def damaged(self) -> int:
        """The part of `dropped` that came damaged."""
        return self._broken

    def __enter__(self) -> Self:
        """Start to capture."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to capture."""
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time; ends with the source, and raises what ended its thread."""
        for frame in self._frames:
            if self._stopping.is_set():
                return
            yield frame
        if self._error is not None and not self._stopping.is_set():
            raise self._error

    def close(self) -> None:
        """End the thread, within half a second unless a driver hangs."""
        self._stopping.set()
        self._frames.close()
        if self._thread.ident is None:
            self._release()
        elif self._thread.is_alive():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            self._capture()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that iterates
            self._error = error
        finally:
            self._frames.close()
            self._release()

    @abstractmethod
    def _capture(self) -> None:
        """Put frames until the source ends or `_stopping` is set; runs in the thread."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of the device or file; runs in the thread, or instead of it if it was never started."""

    def _put(self, image_bgr: NDArray[np.uint8], t_capture_s: float, index: int) -> None:
        self._frames.put(Frame(index, t_capture_s, image_bgr))


class ReplaySource(LiveSource):
    """A video played in real time, as if it were a camera; its own time stamps set the pace.

    Pauses of more than `LONGEST_PAUSE_S` are cut to that, with a warning: nobody waits for hours.
    """

    def __init__(self, path: Path | str, speed: float = 1.0, *, mirrored: bool = False) -> None:
        """Open the video; raises UserError as `VideoSource` does."""
        super().__init__()
        self._video = VideoSource(path, mirrored=mirrored)
        self._speed = speed
        self.name, self.size_px = self._video.name, self._video.size_px
        self.fps = self._video.fps * speed if self._video.fps else None

    def _capture(self) -> None:
        start_s = time.monotonic()
        before_s = 0.0
        for frame in self._video:
            cut_s = max(frame.t_capture_s - before_s - LONGEST_PAUSE_S, 0.0)
            if cut_s > 0:
                _log.warning(
                    "%s: a pause of %.0f s is cut to %g s", self.name, cut_s + LONGEST_PAUSE_S, LONGEST_PAUSE_S
                )
                start_s -= cut_s / self._speed
            before_s = frame.t_capture_s
            due_s = start_s + frame.t_capture_s / self._speed
            if self._stopped_before(due_s):
                return
            self._broken = self._video.dropped
            # Not the time at which it got here: that jitters, the filters would see it, and playback would find older
            # pictures. It is never in the future, so ages count from it; they hold what decoding comes too late by.
            self._put(frame.image_bgr, due_s, frame.index)

    def _stopped_before(self, due_s: float) -> bool:
        """Wait until `due_s`; whether the source was closed meanwhile. A clock may end one wait a little early."""
        while (wait_s := due_s - time.monotonic()) > 0:
            if self._stopping.wait(wait_s):
                return True
        return self._stopping.is_set()

    def _release(self) -> None:
        self._video.close()

"""When to look for hands, and who does: the caller's thread for recordings, one beside it for cameras.

A search costs more than the network does on a frame. Live, it must not hold up the hands that are followed: it runs on
the newest picture meanwhile, and what it finds is taken up a frame or two later. In a recording every result must be
the same whenever it is tracked, so the frame waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from realtime.handover import Mailbox, MailboxClosed
from realtime.messages import Frame, HandBox
from realtime.timing import OnStage, StageTimer
from realtime.tracking.detector import HandDetector

JOIN_S: Final = 0.5
Detect = Callable[[Frame], list[HandBox]]


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    boxes: list[HandBox]
    error: BaseException | None = None


class Search(Protocol):
    """Looks for hands; ask for one thread's frames only."""

    def __call__(self, frame: Frame) -> list[HandBox] | None:
        """Look at this frame; the hands that were found by now, None if nothing has been looked at since last time."""

    def found(self) -> list[HandBox] | None:
        """What an earlier frame's search has come to since it was last asked for."""

    def close(self) -> None:
        """Free what it holds."""


class SearchAtOnce:
    """Searches in the caller's thread."""

    def __init__(self, min_score: float) -> None:
        self._detector = HandDetector(min_score)

    def __call__(self, frame: Frame) -> list[HandBox] | None:
        """As `Search`."""
        return self._detector(frame.image_bgr)

    def found(self) -> list[HandBox] | None:
        """As `Search`: nothing comes later."""
        return None

    def close(self) -> None:
        """As `Search`."""
        self._detector.close()


class SearchBeside:
    """Searches in a thread of its own, one frame at a time; while it is busy, frames are passed over."""

    def __init__(self, min_score: float, on_stage: OnStage | None = None) -> None:
        self._detector = HandDetector(min_score)
        self._on_stage = on_stage
        self._frames: Mailbox[Frame] = Mailbox()
        self._found: Mailbox[Found] = Mailbox()
        self._busy = False
        # Daemon: MediaPipe must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="detection", daemon=True)
        self._thread.start()

    def __call__(self, frame: Frame) -> list[HandBox] | None:
        """As `Search`; an error of the thread is raised here."""
        found = self.found()
        if not self._busy:
            self._busy = True
            self._frames.put(frame)
        return found

    def found(self) -> list[HandBox] | None:
        """As `Search`."""
        try:
            found = self._found.get(0.0)
        except (TimeoutError, MailboxClosed):
            return None
        self._busy = False
        if found.error is not None:
            raise found.error
        return found.boxes

    def close(self) -> None:
        """As `Search`; a search that is being made is waited for."""
        self._frames.close()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            for frame in self._frames:
                with StageTimer(self._on_stage).stage("detect"):
                    boxes = self._detector(frame.image_bgr)
                self._found.put(Found(boxes))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asks
            self._found.put(Found([], error))
        finally:
            self._detector.close()

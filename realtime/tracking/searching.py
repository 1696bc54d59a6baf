"""When to look for hands, and who does: the caller's thread for recordings, one beside it for cameras.

A search costs more than the network does on a frame. Live, it must not hold up the hands that are followed: it runs on
the newest picture meanwhile, and what it finds is taken up a frame or two later. In a recording every result must be
the same whenever it is tracked, so the frame waits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final, Protocol

from realtime.handover import Mailbox, MailboxClosed
from realtime.messages import Frame
from realtime.timing import OnStage, StageTimer
from realtime.tracking.finder import Found, HandFinder

JOIN_S: Final = 0.5


@dataclass(frozen=True)
class _Outcome:
    """What a search came to."""

    boxes: list[Found]
    error: BaseException | None = None


class Search(Protocol):
    """Looks for hands; ask for one thread's frames only."""

    def __call__(self, frame: Frame, *, bodies: bool = False) -> list[Found] | None:
        """Look at this frame, with `bodies` at the ends of arms, too.

        The hands that were found by now, None if nothing has been looked at since last time.
        """

    def found(self) -> list[Found] | None:
        """What an earlier frame's search has come to since it was last asked for."""

    def close(self) -> None:
        """End what it began."""


class SearchAtOnce:
    """Searches in the caller's thread."""

    def __init__(self, finder: HandFinder) -> None:
        """It belongs to the search from now on."""
        self._finder = finder

    def __call__(self, frame: Frame, *, bodies: bool = False) -> list[Found] | None:
        """As `Search`."""
        return self._finder(frame.image_bgr, bodies=bodies)

    def found(self) -> list[Found] | None:
        """As `Search`: nothing comes later."""
        return None

    def close(self) -> None:
        """As `Search`: it holds nothing."""


class SearchBeside:
    """Searches in a thread of its own, one frame at a time; while it is busy, frames are passed over."""

    def __init__(self, finder: HandFinder, on_stage: OnStage | None = None) -> None:
        """The finder belongs to the search from now on."""
        self._finder = finder
        self._on_stage = on_stage
        self._frames: Mailbox[tuple[Frame, bool]] = Mailbox()
        self._found: Mailbox[_Outcome] = Mailbox()
        self._busy = False
        # Daemon: a search must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="detection", daemon=True)
        self._thread.start()

    def __call__(self, frame: Frame, *, bodies: bool = False) -> list[Found] | None:
        """As `Search`; an error of the thread is raised here."""
        found = self.found()
        if not self._busy:
            self._busy = True
            self._frames.put((frame, bodies))
        return found

    def found(self) -> list[Found] | None:
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
            for frame, bodies in self._frames:
                with StageTimer(self._on_stage).stage("detect"):
                    boxes = self._finder(frame.image_bgr, bodies=bodies)
                self._found.put(_Outcome(boxes))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asks
            self._found.put(_Outcome([], error))

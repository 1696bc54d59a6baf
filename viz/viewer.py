"""What every view of the result can do, and several views as one.

Windows belong to the main thread: create, show, ask and close them from there only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.messages import HandFrame


@dataclass
class Display:
    """How things are shown; shared by all views, so that a key in one window acts on all (main thread only)."""

    mirror: bool = False
    """Show as in a mirror. Only what is shown: no network ever sees a mirrored picture."""

    show_help: bool = False
    """Show what the keys do."""

    def toggle_mirror(self) -> None:
        """Exchange left and right on the screen."""
        self.mirror = not self.mirror

    def toggle_help(self) -> None:
        """Show or hide what the keys do."""
        self.show_help = not self.show_help


class Viewer(Protocol):
    """A window or a file that shows each result. Main thread only."""

    def show(self, hand_frame: HandFrame, image_bgr: NDArray[np.uint8]) -> None:
        """Show one result with the picture (H, W, 3) it came from; the picture is not written to."""

    def is_running(self) -> bool:
        """False once the person closed it. Also lets a window answer mouse and keys: ask often, even without frames."""

    def close(self) -> None:
        """Give everything back; a second call does nothing."""


class CompositeViewer:
    """Several views as one: all show each result, and it runs until any of them was closed. Main thread only."""

    def __init__(self, viewers: Sequence[Viewer]) -> None:
        self._viewers = tuple(viewers)

    def show(self, hand_frame: HandFrame, image_bgr: NDArray[np.uint8]) -> None:
        """Show one result in every view, in the order they were given."""
        for viewer in self._viewers:
            viewer.show(hand_frame, image_bgr)

    def is_running(self) -> bool:
        """False as soon as one of them was closed; asks all, so that every window gets its events."""
        return all([viewer.is_running() for viewer in self._viewers])

    def close(self) -> None:
        """Close all; the first failure is raised after the others were closed."""
        failures: list[Exception] = []
        for viewer in self._viewers:
            try:
                viewer.close()
            except Exception as error:  # noqa: BLE001 - whatever it was, the others still hold windows and files
                failures.append(error)
        if failures:
            raise failures[0]

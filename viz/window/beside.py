"""The 3D window in a process of its own, seen from the program: it never holds anybody up (main thread).

Open3D keeps Python's one lock while it draws: 35 ms a frame in software OpenGL, in which no other thread of a program
runs, neither camera nor network. So it draws elsewhere (`viz.window.beside_process`), at its own rate, always the
newest result. What is sent waits in nobody's way: the next one goes when the window says that it is ready.
"""

from __future__ import annotations

import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from realtime.messages import HandFrame
from viz.viewer import Display
from viz.window.display import require_display

ROOT: Final = Path(__file__).parents[2]
READY: Final = "ready"
DISPLAY: Final = "display"
CLOSED: Final = "closed"
FAILED: Final = "failed"
END_S: Final = 0.5
"""How long the process may take to end by itself."""


class WindowBeside:
    """As `Open3DViewer`, without its playback keys. A window that cannot be opened is told to `say`, and left out.

    Raises UserError where there is no display.
    """

    def __init__(self, display: Display, say: Callable[[str], None]) -> None:
        require_display("the 3D window")
        self._display = display
        self._say = say
        self._words: queue.Queue[tuple[str, str]] = queue.Queue()
        self._ready = False
        self._closed = False
        self._failed = False
        self._waiting: HandFrame | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "viz.window.beside_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        listener = threading.Thread(target=_listen, args=(self._process.stdout, self._words), daemon=True)
        listener.start()

    def show(self, hand_frame: HandFrame, image_bgr: NDArray[np.uint8] | None = None) -> None:
        """Draw this result as soon as the window has drawn an earlier one; the picture is not needed here."""
        self._waiting = hand_frame
        self.is_running()

    def is_running(self) -> bool:
        """Hear what the window says, and tell it the newest; False once somebody closed it."""
        while not self._words.empty():
            self._hear(*self._words.get())
        if self._ready and self._waiting is not None and not self._over:
            self._ready = False
            self._send(self._waiting)
            self._waiting = None
        return not self._closed

    def close(self) -> None:
        """End the process; a second call does nothing."""
        self._closed = True
        if self._process.stdin is not None and not self._process.stdin.closed:
            with suppress(OSError):  # it has ended already
                self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _over(self) -> bool:
        return self._closed or self._failed

    def _hear(self, word: str, rest: str) -> None:
        if word == READY:
            self._ready = True
        elif word == DISPLAY:
            self._display.mirror, self._display.show_help = (part == "1" for part in rest.split())
        elif word == FAILED and not self._closed:
            self._failed = True
            self._say(f"{rest}; the camera window goes on")
        elif word == CLOSED and not self._failed:
            self._closed = True

    def _send(self, hand_frame: HandFrame) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump((hand_frame, self._display.mirror, self._display.show_help), self._process.stdin)
            self._process.stdin.flush()
        except OSError:
            self._words.put((FAILED, "the 3D window has ended"))


def _listen(said: IO[bytes], words: queue.Queue[tuple[str, str]]) -> None:
    """Hand on what the process says, line by line; its end without a word is one, too."""
    last = ""
    for line in said:
        last, _, rest = line.decode(errors="replace").rstrip("\n").partition(" ")
        words.put((last, rest))
    if last not in (CLOSED, FAILED):
        words.put((FAILED, "the 3D window has ended"))

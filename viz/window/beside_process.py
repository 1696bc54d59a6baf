"""The process of the 3D window: `viz.window.beside` starts it, and it ends with it (its own main thread).

Results come in on stdin, newest wins; words go out on stdout, a line each. It gives way to the program that it belongs
to: a lower priority, at most 60 pictures a second, and at most half of the time spent on drawing.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from engines.errors import UserError
from realtime.handover import Mailbox, MailboxClosed
from realtime.messages import HandFrame
from viz.viewer import Display
from viz.window.beside import CLOSED, DISPLAY, FAILED, READY
from viz.window.open3d_viewer import Open3DViewer

LEAST_STEP_S: Final = 1 / 60
_POLL_S: Final = 0.01
_NICE: Final = 5
_SIZE_PX: Final = (800, 600)
_SIZE_WITHOUT_GPU_PX: Final = (640, 480)
Message = tuple[HandFrame, bool, bool]
"""A result, and how it is to be shown: mirrored, with help."""


def main() -> None:
    """Show what comes until stdin or the window is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's: it ends this one by closing stdin
    with suppress(OSError, AttributeError):
        os.nice(_NICE)
    # What Open3D or a help text prints must not come between the words.
    words = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    try:
        _run(Window(Display()), words)
    except UserError as error:
        _tell(words, f"{FAILED} {error}")


class Window:
    """The window, and how long its last picture took."""

    def __init__(self, display: Display) -> None:
        self.display = display
        self.viewer = Open3DViewer(display, _SIZE_PX if has_gpu() else _SIZE_WITHOUT_GPU_PX)
        self._next_s = 0.0

    def draw(self, message: Message) -> None:
        """Draw a result, and wait until the next one may be drawn."""
        hand_frame, self.display.mirror, self.display.show_help = message
        started_s = time.monotonic()
        self.viewer.show(hand_frame)
        lasted_s = time.monotonic() - started_s
        self._next_s = max(started_s + LEAST_STEP_S, started_s + 2 * lasted_s)

    @property
    def may_draw(self) -> bool:
        """Whether the next picture's time has come."""
        return time.monotonic() >= self._next_s


def has_gpu() -> bool:
    """Whether OpenGL may run on a GPU; where there is no device of one, Mesa draws in software."""
    if not sys.platform.startswith("linux"):
        return True
    devices = [*Path("/dev/dri").glob("renderD*"), *Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("dxg")]
    return bool(devices) and os.environ.get("LIBGL_ALWAYS_SOFTWARE", "0") in ("", "0", "false")


def _run(window: Window, words: TextIO) -> None:
    inbox: Mailbox[Message] = Mailbox()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, inbox), daemon=True).start()
    shown = window.display.mirror, window.display.show_help
    _tell(words, READY)
    asked = True
    while window.viewer.is_running():
        now = window.display.mirror, window.display.show_help
        if now != shown:
            shown = now
            _tell(words, f"{DISPLAY} {now[0]:d} {now[1]:d}")
        if not asked and window.may_draw:
            asked = True
            _tell(words, READY)
        try:
            message = inbox.get(_POLL_S)
        except TimeoutError:
            continue
        except MailboxClosed:
            window.viewer.close()
            return
        window.draw(message)
        asked, shown = False, (message[1], message[2])
    _tell(words, CLOSED)
    window.viewer.close()


def _receive(stdin: BinaryIO, inbox: Mailbox[Message]) -> None:
    """Take results until the program closes the pipe."""
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            inbox.put(pickle.load(stdin))  # noqa: S301 - from the program that started this process
    inbox.close()


def _tell(words: TextIO, line: str) -> None:
    """Say it to the program, if it still listens."""
    with suppress(OSError, ValueError):
        print(line, file=words, flush=True)


if __name__ == "__main__":
    main()

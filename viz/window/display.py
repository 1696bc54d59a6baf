"""Is there a screen to open windows on? (main thread)

Asked before any window toolkit is: without a screen Qt ends the whole process and Open3D silently draws off screen.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import cast

from engines.errors import UserError
from realtime.x_windows import xlib


def has_display() -> bool:
    """Whether a window can be opened: macOS and Windows always, elsewhere if an X server (or XWayland) answers."""
    if sys.platform in ("darwin", "win32"):
        return True
    address = os.environ.get("DISPLAY")
    return bool(address) and _connection(address) is not None


@functools.cache
def _connection(address: str) -> int | None:
    """Xlib's own, None if none answers; never closed.

    A server without other clients (Xvfb) starts anew when its last one leaves, and refuses the window that asks
    meanwhile: 48 of 3,000 times.
    """
    try:
        return cast("int | None", xlib().XOpenDisplay(address.encode()))
    except OSError:
        return None


def require_display(what: str) -> None:
    """Raise UserError, naming `what` was to be opened, if there is no screen."""
    if has_display():
        return
    given = os.environ.get("DISPLAY")
    reason = f"the display {given} does not answer" if given else "there is no display"
    if not given and os.environ.get("WAYLAND_DISPLAY"):
        raise UserError(f"{what} cannot be opened: this Wayland has no X11; install xwayland, or use --headless")
    raise UserError(f"{what} cannot be opened: {reason}; use --headless to write files instead, or set DISPLAY")

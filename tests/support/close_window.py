"""Ask a window of the X display to close, as its button does: `python close_window.py TITLE`."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p

CLIENT_MESSAGE = 33
X11 = ctypes.CDLL("libX11.so.6")
X11.XOpenDisplay.restype = c_void_p
X11.XDefaultRootWindow.argtypes = [c_void_p]
X11.XDefaultRootWindow.restype = c_ulong
X11.XQueryTree.argtypes = [
    c_void_p, c_ulong, POINTER(c_ulong), POINTER(c_ulong), POINTER(POINTER(c_ulong)), POINTER(c_uint),
]  # fmt: skip
X11.XFetchName.argtypes = [c_void_p, c_ulong, POINTER(c_char_p)]
X11.XInternAtom.argtypes = [c_void_p, c_char_p, c_int]
X11.XInternAtom.restype = c_ulong
X11.XSendEvent.argtypes = [c_void_p, c_ulong, c_int, c_long, c_void_p]
X11.XSync.argtypes = [c_void_p, c_int]


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent, with room for the largest event."""

    _fields_ = (
        ("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p), ("window", c_ulong),
        ("message_type", c_ulong), ("format", c_int), ("data", c_long * 5), ("rest", c_long * 16),
    )  # fmt: skip


def windows(display: int, parent: int) -> Iterator[tuple[str, int]]:
    """Titles and numbers of all windows below `parent`."""
    root, above, children, count = c_ulong(), c_ulong(), POINTER(c_ulong)(), c_uint()
    if not X11.XQueryTree(display, parent, byref(root), byref(above), byref(children), byref(count)):
        return
    for i in range(count.value):
        title = c_char_p()
        if X11.XFetchName(display, children[i], byref(title)) and title.value:
            yield title.value.decode(), children[i]
        yield from windows(display, children[i])


def ask_to_close(display: int, window: int) -> None:
    """Send what a window manager sends."""
    event = ClientMessage(type=CLIENT_MESSAGE, send_event=1, window=window, format=32)
    event.message_type = X11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    event.data[0] = X11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    X11.XSendEvent(display, window, 0, 0, byref(event))
    X11.XSync(display, 0)


if __name__ == "__main__":
    connection = X11.XOpenDisplay(None)
    for _ in range(600):
        found = dict(windows(connection, X11.XDefaultRootWindow(connection)))
        if sys.argv[1] in found:
            ask_to_close(connection, found[sys.argv[1]])
            sys.exit(0)
        time.sleep(0.1)
    sys.exit(f"no window {sys.argv[1]!r} appeared")

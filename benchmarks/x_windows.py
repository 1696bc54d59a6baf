"""How many windows this process has open on the X display, whatever toolkit made them (main thread)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_uint, c_ulong, c_void_p
from typing import Any, Final

from viz.window.display import has_display

TITLES: Final = ("two hands", "two hands: camera")


def open_windows() -> int:
    """Number of the program's windows by their titles; 0 without an X display."""
    if not os.environ.get("DISPLAY") or not has_display():
        return 0
    x11 = _x11()
    display = x11.XOpenDisplay(None)
    if not display:
        return 0
    try:
        return sum(title in TITLES for title in _titles(x11, display, x11.XDefaultRootWindow(display)))
    finally:
        x11.XCloseDisplay(display)


def _x11() -> ctypes.CDLL:
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = c_void_p
    x11.XCloseDisplay.argtypes = [c_void_p]
    x11.XDefaultRootWindow.argtypes = [c_void_p]
    x11.XDefaultRootWindow.restype = c_ulong
    pointers: list[Any] = [POINTER(c_ulong), POINTER(c_ulong), POINTER(POINTER(c_ulong)), POINTER(c_uint)]
    x11.XQueryTree.argtypes = [c_void_p, c_ulong, *pointers]
    x11.XFetchName.argtypes = [c_void_p, c_ulong, POINTER(c_char_p)]
    x11.XFree.argtypes = [c_void_p]
    return x11


def _titles(x11: ctypes.CDLL, display: int, parent: int) -> Iterator[str]:
    root, above, children, count = c_ulong(), c_ulong(), POINTER(c_ulong)(), c_uint()
    if not x11.XQueryTree(display, parent, byref(root), byref(above), byref(children), byref(count)):
        return
    below = [children[i] for i in range(count.value)]
    if below:
        x11.XFree(children)
    for window in below:
        title = c_char_p()
        if x11.XFetchName(display, window, byref(title)) and title.value is not None:
            yield title.value.decode(errors="replace")
            x11.XFree(title)
        yield from _titles(x11, display, window)

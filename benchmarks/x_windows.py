"""Windows on the X display, whatever toolkit made them: how many of the program's, and where (main thread)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_uint, c_ulong, c_void_p
from typing import Any, Final

from viz.window.display import has_display

TITLES: Final = ("two hands", "two hands: camera")


Area = tuple[int, int, int, int]
"""Left, top, width, height in pixels of the screen."""


def open_windows() -> int:
    """Number of the program's windows by their titles; 0 without an X display."""
    return sum(title in TITLES for title, _ in _on_screen())


def area_of(title: str) -> Area | None:
    """Where the window with that title lies, without its frame; None if there is none."""
    return next((area for name, area in _on_screen() if name == title), None)


def _on_screen() -> list[tuple[str, Area]]:
    if not os.environ.get("DISPLAY") or not has_display():
        return []
    x11 = _x11()
    display = x11.XOpenDisplay(None)
    if not display:
        return []
    try:
        root = x11.XDefaultRootWindow(display)
        return [(title, _area(x11, display, root, window)) for title, window in _titles(x11, display, root)]
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
    x11.XGetGeometry.argtypes = [c_void_p, c_ulong, POINTER(c_ulong), *[POINTER(c_int)] * 2, *[POINTER(c_uint)] * 4]
    places = [POINTER(c_int)] * 2
    x11.XTranslateCoordinates.argtypes = [c_void_p, c_ulong, c_ulong, c_int, c_int, *places, POINTER(c_ulong)]
    return x11


def _area(x11: ctypes.CDLL, display: int, root: int, window: int) -> Area:
    above, child, x, y = c_ulong(), c_ulong(), c_int(), c_int()
    width, height, border, depth = c_uint(), c_uint(), c_uint(), c_uint()
    x11.XGetGeometry(
        display, window, byref(above), byref(x), byref(y), byref(width), byref(height), byref(border), byref(depth)
    )
    x11.XTranslateCoordinates(display, window, root, 0, 0, byref(x), byref(y), byref(child))
    return x.value, y.value, width.value, height.value


def _titles(x11: ctypes.CDLL, display: int, parent: int) -> Iterator[tuple[str, int]]:
    root, above, children, count = c_ulong(), c_ulong(), POINTER(c_ulong)(), c_uint()
    if not x11.XQueryTree(display, parent, byref(root), byref(above), byref(children), byref(count)):
        return
    below = [children[i] for i in range(count.value)]
    if below:
        x11.XFree(children)
    for window in below:
        title = c_char_p()
        if x11.XFetchName(display, window, byref(title)) and title.value is not None:
            yield title.value.decode(errors="replace"), window
            x11.XFree(title)
        yield from _titles(x11, display, window)

"""Xlib, and windows on the X display of any toolkit: where they are, and a word to one that missed an event.

One thread at a time: Xlib's handler of errors is the process's.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p
from typing import Any, Final

TITLES: Final = ("two hands", "two hands: camera")


Area = tuple[int, int, int, int]
"""Left, top, width, height in pixels of the screen."""


def open_windows() -> int:
    """Number of the program's windows by their titles; 0 without an X display."""
    return sum(title in TITLES for title, _ in _on_screen())


def area_of(title: str) -> Area | None:
    """Where the window with that title lies, without its frame; None if there is none."""
    return next((area for name, area in _on_screen() if name == title), None)


def tell_mapped(title: str) -> None:
    """Tell the windows with that title that they are on the screen, as the X server did when they appeared."""
    with _display() as (x11, display):
        root = x11.XDefaultRootWindow(display) if display else 0
        for name, window in _titles(x11, display, root) if display else ():
            if name == title:
                told = _Mapped(_MAP_NOTIFY, 0, 1, display, window, window)
                x11.XSendEvent(display, window, 0, _STRUCTURE_NOTIFY_MASK, byref(told))


def _on_screen() -> list[tuple[str, Area]]:
    with _display() as (x11, display):
        if not display:
            return []
        root = x11.XDefaultRootWindow(display)
        return [(title, _area(x11, display, root, window)) for title, window in _titles(x11, display, root)]


class _Mapped(ctypes.Structure):
    """The beginning of Xlib's XMapEvent, as long as its XEvent."""

    _fields_ = (
        ("type", c_int),
        ("serial", c_ulong),
        ("send_event", c_int),
        ("display", c_void_p),
        ("event", c_ulong),
        ("window", c_ulong),
        ("rest", c_long * 24),
    )


_MAP_NOTIFY: Final = 19
_STRUCTURE_NOTIFY_MASK: Final = 1 << 17
_Handler: Final = CFUNCTYPE(c_int, c_void_p, c_void_p)


@_Handler
def _ignored(display: int, error: int) -> int:
    """Windows of others vanish while one looks at them; Xlib's own handler would end the process."""
    return 0


@contextmanager
def _display() -> Iterator[tuple[Any, int | None]]:
    """Xlib and a connection of its own, None without an X display."""
    try:
        x11 = xlib()
    except OSError:
        yield None, None
        return
    display = x11.XOpenDisplay(None) if os.environ.get("DISPLAY") else None
    if not display:
        yield x11, None
        return
    before = x11.XSetErrorHandler(_ignored)
    try:
        yield x11, display
    finally:
        x11.XCloseDisplay(display)  # waits for the errors of all that was asked
        x11.XSetErrorHandler(before)


@functools.cache
def xlib() -> ctypes.CDLL:
    """The library, with the types of what is called here and in `viz.window.display`; OSError where there is none."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = c_void_p
    x11.XOpenDisplay.argtypes = [c_char_p]
    x11.XCloseDisplay.argtypes = [c_void_p]
    x11.XSetErrorHandler.argtypes = [c_void_p]
    x11.XSetErrorHandler.restype = c_void_p
    x11.XSendEvent.argtypes = [c_void_p, c_ulong, c_int, c_long, c_void_p]
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

"""What OpenCV's windows need before the first one opens, and when they begin to show (main thread).

OpenCV's wheels bring a Qt with the X11 platform alone. Where the desktop asks for another (QT_QPA_PLATFORM=wayland is
usual), or a library of X11 is missing, that Qt ends the process.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

import cv2

from realtime.x_windows import tell_mapped

_TOLD_AT: Final = (3, 15, 60)
"""Pictures shown: soon, and twice more should that be lost, too."""


def choose_platform() -> str | None:
    """Let Qt take a platform that it has; the reason if it has none that can be loaded, None if all is well.

    Other builds of OpenCV, with GTK or the system's Qt, are left alone.
    """
    plugins = Path(os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", "")) / "platforms"
    if not cv2.currentUIFramework().startswith("QT") or not plugins.is_relative_to(Path(cv2.__file__).parent):
        return None
    there = {path.stem.removeprefix("libq"): path for path in sorted(plugins.glob("libq*.so"))}
    asked = [name for name in os.environ.get("QT_QPA_PLATFORM", "").split(";") if name.partition(":")[0] in there]
    if there:  # also where nothing is asked for: in a Wayland session Qt looks for its own first, and complains
        os.environ["QT_QPA_PLATFORM"] = ";".join(asked or there)
    try:
        for path in there.values():
            ctypes.CDLL(str(path))
    except OSError as error:
        return str(error)
    return None


class FirstPictures:
    """Makes a new window paint: on a busy machine Qt loses what the X server said while the window appeared.

    It then takes the window to be hidden, and leaves it black for good (opencv-python's issue 362; 9 of 30 windows
    beside a training). Told once more, it paints.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = 0

    def shown(self) -> None:
        """One more picture was."""
        self._shown += 1
        if self._shown in _TOLD_AT and cv2.currentUIFramework().startswith("QT"):
            tell_mapped(self._title)

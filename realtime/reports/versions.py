"""Which program this is and what it runs on, for `--version` and the track file (any thread)."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PROJECT_FILE: Final = Path(__file__).parents[2] / "pyproject.toml"
_PACKAGES: Final = ("mediapipe", "openvino", "torch", "numpy", "opencv-contrib-python", "av", "open3d", "open3d-cpu")


def versions() -> dict[str, str]:
    """Versions by name: the program's own first, then Python's and those of the packages that shape the result."""
    # The program runs from its checkout and may not be installed: its version stands in the project file.
    own = re.search(r'^version = "(.+)"$', _PROJECT_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    found = {"two-hands-live": own.group(1) if own else "unknown", "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

"""Open3D without the web server that it brings along for notebooks: half a second and 60 MB less (any thread)."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from types import ModuleType
from typing import Any, Final

_MODULE: Final = "open3d.visualization.draw_plotly"
"""Imports plotly, dash, IPython, requests and a web server, whether anybody draws with plotly or not."""
_FUNCTIONS: Final = ("get_plotly_fig", "draw_plotly", "draw_plotly_server")


def without_web_server() -> None:
    """Have the first import of Open3D in this process pass over plotly, whose functions import it when called."""
    if _MODULE in sys.modules:
        return
    stand_in = ModuleType(_MODULE)
    for name in _FUNCTIONS:
        setattr(stand_in, name, partial(_as_asked, name))
    sys.modules[_MODULE] = stand_in


def _as_asked(name: str, *arguments: Any, **named: Any) -> Any:
    """What Open3D's own function of that name gives."""
    if not hasattr(sys.modules.get(_MODULE), "__file__"):
        sys.modules.pop(_MODULE, None)
    return getattr(importlib.import_module(_MODULE), name)(*arguments, **named)

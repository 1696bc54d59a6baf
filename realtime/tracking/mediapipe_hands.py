"""MediaPipe's `Hands`, imported without what its packages load beside it. The only home of mediapipe.

`mediapipe/__init__.py` imports every solution and task: pyplot for drawings, PortAudio for microphones. That is a third
of a second at each start and 30 MB, for things a hand detector never asks for. Here these two packages are there at
once, as every package is while it is imported, and their `__init__.py` runs when somebody asks for one of their names:
a program that uses MediaPipe beside us finds all of it.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

_HEAVY: Final = ("mediapipe", "mediapipe.python.solutions")
"""The packages whose `__init__.py` wait; the outer one first."""


class _Waiting(ModuleType):
    """A package whose modules can be imported before its own `__init__.py` has run."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":  # what the import system probes for
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        assert self.__spec__ is not None and self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _wait(name: str) -> None:
    """Put a package where imports look for it, unless it is there already; ImportError if there is none."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)  # imports the packages above it
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = importlib.util.module_from_spec(spec)
    package.__class__ = _Waiting
    sys.modules[name] = package
    above, _, own = name.rpartition(".")
    if above:
        setattr(sys.modules[above], own, package)


for _name in _HEAVY:
    _wait(_name)

from mediapipe.python.solutions.hands import Hands  # noqa: E402, F401 - after what makes it cheap

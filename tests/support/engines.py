"""Engines that several tests of a file share, because loading one takes a second."""

from __future__ import annotations

from collections.abc import Callable

from engines.contract import Backend, Say
from realtime.config import EngineSettings, Settings
from realtime.engine import backend_of


def one_backend() -> Callable[..., Backend]:
    """As `backend_of`, but an engine that was opened before is given again."""
    opened: dict[EngineSettings, Backend] = {}

    def backend(settings: Settings, say: Say, *, sparing: bool = False) -> Backend:
        if settings.engine not in opened:
            opened[settings.engine] = backend_of(settings, say, sparing=sparing)
        return opened[settings.engine]

    return backend

"""Engines that take no time: one that several tests share, because loading takes a second, and torch, as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from engines.backends.opening import open_backend
from engines.contract import Backend, EngineRequest, Say
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


Requests = Callable[[ModuleType], list[EngineRequest]]


@pytest.fixture
def requests_in_torch(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """`requests_in_torch(module)`: what it opens with `open_backend` runs in torch; the list of what it asks for.

    For weights, or a graph without the witness, that no other test exports: nine seconds each.
    """

    def taken_by(module: ModuleType) -> list[EngineRequest]:
        asked: list[EngineRequest] = []

        def in_torch(request: EngineRequest, say: Say = print) -> Backend:
            asked.append(request)
            return open_backend(replace(request, backend="torch", precision="fp32"), say)

        monkeypatch.setattr(module, "open_backend", in_torch)
        return asked

    return taken_by

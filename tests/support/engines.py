"""Engines that take no time: one that several tests share and that is asked once, and torch, as it is.

Loading an engine takes a second, each answer thirty milliseconds of a processor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import realtime.engine
from engines.backends.opening import open_backend
from engines.contract import Backend, EngineRequest, Say
from engines.geometry.crop import Crop
from realtime.config import EngineSettings, Settings
from realtime.engine import backend_of

Answer = Mapping[str, NDArray[np.float32]]


class _AskedOnce:
    """A `Backend` around another one, which is asked once for each crops: who asks again gets the same answer.

    Runs over the same frames must give the same tracks, whatever happened to them. They cut the same crops then, to the
    bit, and what the network would say once more nobody need work out; other crops, as after a mistake, are other
    questions.
    """

    def __init__(self, backend: Backend, answers: dict[bytes, Answer]) -> None:
        self.name: str = backend.name
        self.precision: str = backend.precision
        self.input_px: int = backend.input_px
        self.depth_along_ray: bool = backend.depth_along_ray
        self.witness: bool = backend.witness
        self.folder = backend.folder
        self._backend = backend
        self._answers = answers

    def __call__(self, crops_bgr: Any) -> Answer:
        """As `Backend.__call__`, in arrays that are the caller's."""
        if not isinstance(crops_bgr, np.ndarray):
            return self._backend(crops_bgr)  # on a GPU, where it takes no time
        question = hashlib.blake2b(b"%d" % len(crops_bgr) + np.ascontiguousarray(crops_bgr).tobytes()).digest()
        if question not in self._answers:
            self._answers[question] = {name: value.copy() for name, value in self._backend(crops_bgr).items()}
        return {name: value.copy() for name, value in self._answers[question].items()}

    def cut(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> Any:
        """As `Backend.cut`."""
        return self._backend.cut(image_bgr, crops)


@cache
def _answers_of(engine: str) -> dict[bytes, Answer]:
    """What an engine has said in this process, to all files of tests."""
    return {}


def asked_once(request: EngineRequest, say: Say = print) -> Backend:
    """As `open_backend`; a network that is kept in a folder remembers what it was asked by other tests."""
    backend = open_backend(request, say)
    return _AskedOnce(backend, _answers_of(f"{backend.folder} {request.threads}") if backend.folder else {})


def one_backend() -> Callable[..., Backend]:
    """As `backend_of`, but an engine that was opened before is given again, and is `asked_once`."""
    opened: dict[EngineSettings, Backend] = {}

    def backend(settings: Settings, say: Say = print, *, sparing: bool = False) -> Backend:
        if settings.engine not in opened:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(realtime.engine, "open_backend", asked_once)
                opened[settings.engine] = backend_of(settings, say, sparing=sparing)
        return opened[settings.engine]

    return backend


Requests = Callable[[ModuleType], list[EngineRequest]]


@pytest.fixture
def requests_in_torch(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """`requests_in_torch(module)`: what it opens with `open_backend` runs in torch; the list of what it asks for.

    For weights, or a graph without the witness, that no other test exports: three seconds each, compiled.
    """

    def taken_by(module: ModuleType) -> list[EngineRequest]:
        asked: list[EngineRequest] = []

        def in_torch(request: EngineRequest, say: Say = print) -> Backend:
            asked.append(request)
            return open_backend(replace(request, backend="torch", precision="fp32"), say)

        monkeypatch.setattr(module, "open_backend", in_torch)
        return asked

    return taken_by

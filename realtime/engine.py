"""The network that the settings ask for (any thread)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.backends.opening import open_backend
from engines.contract import Backend, EngineRequest
from engines.second_look import looking_twice
from realtime.config import Settings


def backend_of(settings: Settings, say: Callable[[str], None] = lambda _: None, *, sparing: bool = False) -> Backend:
    """Open the engine, building it first where the cache has none; `say` gets what a user should read.

    `sparing`: of two batch sizes the one that these settings ask for most is compiled, the other one if it is asked for
    often, which may change an answer by a rounding from one frame to the next. Raises UserError where it cannot run.
    """
    engine = settings.engine
    weights = Path(engine.weights) if engine.weights else None
    rootnet = Path(engine.rootnet) if engine.rootnet else None
    calibration = Path(engine.calibration) if engine.calibration else None
    request = EngineRequest(
        engine.preset,
        weights,
        engine.backend,
        engine.precision,
        engine.threads,
        engine.cache_folder,
        rootnet=rootnet,
        calibration=calibration,
        witness=engine.witness,
        at_once=_most_asked(settings) if sparing else None,
    )
    backend = open_backend(request, say)
    return looking_twice(backend, engine.preset, engine.second_look)


def _most_asked(settings: Settings) -> tuple[int]:
    """One crop where one hand is followed and looked at once, else two."""
    engine = settings.engine
    looked_at_once = engine.second_look == "never" or (engine.second_look == "auto" and engine.witness)
    return (1,) if settings.detector.max_hands == 1 and looked_at_once else (2,)

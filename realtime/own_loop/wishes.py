"""What another program asks for in keywords, as settings, and the pipeline that follows from them (any thread)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

from engines.contract import BackendName, Say
from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from realtime.camera_space.intrinsics import checked, resolve_intrinsics
from realtime.config import Person, Settings
from realtime.engine import backend_of
from realtime.layers import Layer, settings_of
from realtime.pipeline import HandPipeline

_log = logging.getLogger("realtime.api")
_SETTING = {
    "fov_deg": "intrinsics.fov_deg",
    "hand_length_mm": "fusion.hand_length_mm",
    "max_hands": "detector.max_hands",
    "person": "tracker.person",
    "backend": "engine.backend",
    "threads": "engine.threads",
}
"""Keywords that are the short names of a setting."""


class Wishes(TypedDict, total=False):
    """The keywords of `Hands` and `LiveHands`; what is left out is as `realtime/default.yaml` says."""

    fov_deg: float | None
    """Field of view across the longer side of the picture, degrees, 5 to 170."""
    intrinsics: Intrinsics | str | os.PathLike[str] | None
    """Instead of it: the camera's, for the pictures' size, or the file of a calibration (docs/calibration.md)."""
    hand_length_mm: float | None
    """Wrist to the tip of the middle finger, along the bones, 80 to 300; it sets the scale."""
    max_hands: int | None
    """1 or 2: how many are looked for."""
    person: Person | None
    """Whose hands, where there are several people: "first", "nearest" or "largest"."""
    backend: BackendName | None
    """What runs the network."""
    threads: int | None
    """CPU threads of the network; 0: as many as there are cores."""
    settings: Settings | Mapping[str, Any] | None
    """Any others: all of them (`load_settings`), or some by name, as {"tracker.lose_confidence": 0.05}."""
    say: Say | None
    """Gets lines for the user, such as that an engine is built; None: they are warnings of the log "realtime.api"."""


@dataclass(frozen=True)
class Wished:
    """What the keywords come to."""

    settings: Settings
    camera: Intrinsics | None
    """The camera's intrinsics, where they were given themselves."""
    say: Say

    def pipeline(self, *, live: bool) -> HandPipeline:
        """A pipeline with its own engine; raises UserError where it cannot run, or files make no sense."""
        return HandPipeline(
            self.settings, backend_of(self.settings, self.say, sparing=True), self._intrinsics_of(), live=live
        )

    def _intrinsics_of(self) -> Callable[[tuple[int, int]], Intrinsics]:
        if self.camera is None:
            return partial(resolve_intrinsics, self.settings.intrinsics)
        return partial(checked, self.camera, name="intrinsics")


def wished(wishes: Wishes) -> Wished:
    """Read the keywords; None is left out, the others win over `settings`. Raises UserError naming the wrong one."""
    unknown = wishes.keys() - Wishes.__annotations__.keys()
    if unknown:
        known = ", ".join(Wishes.__annotations__)
        raise TypeError(f"unknown keyword {min(unknown)}; there are {known}, and any setting in settings={{...}}")
    intrinsics = wishes.get("intrinsics")
    if intrinsics is not None and wishes.get("fov_deg") is not None:
        raise UserError("fov_deg and intrinsics: both say what the camera sees; give one of them")
    camera = intrinsics if isinstance(intrinsics, Intrinsics) else None
    return Wished(settings_of(_layers(wishes)), camera, wishes.get("say") or _log.warning)


def own_pictures(wishes: Wishes) -> Wished:
    """The same, for pictures that the caller hands over. Raises UserError for what only a source could do."""
    wish = wished(wishes)
    if wish.settings.camera.mirrored:
        raise UserError("camera.mirrored: pictures of your own are turned back by yourself: frame[:, ::-1]")
    return wish


def _layers(wishes: Wishes) -> Iterator[Layer]:
    settings = wishes.get("settings")
    if isinstance(settings, Settings):
        yield Layer("settings", settings.model_dump())
    elif isinstance(settings, Mapping):
        yield Layer.of("settings", {key: _plain(value) for key, value in settings.items()})
    elif settings is not None:
        raise UserError(f"settings: {settings!r}; give some by name, as {{'engine.threads': 1}}, or `load_settings()`")
    for keyword, setting in _SETTING.items():
        value = wishes.get(keyword)
        if value is not None:
            source = {"intrinsics.source": "fov"} if keyword == "fov_deg" else {}
            yield Layer.of(keyword, {**source, setting: value})
    file = wishes.get("intrinsics")
    if file is not None and not isinstance(file, Intrinsics):
        yield Layer.of("intrinsics", {"intrinsics.source": "file", "intrinsics.file": _plain(file)})


def _plain(value: Any) -> Any:
    """A path as the text that settings hold."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value

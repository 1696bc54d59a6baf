"""Which recordings a folder of tracks holds, and where they came from (any thread)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError

_MANIFEST: Final = "batch.json"
_MAX_BYTES: Final = 256 << 20


@dataclass(frozen=True)
class Recording:
    """A track file, with the video that it was made from if that is known and still there."""

    tracks: Path
    video: Path | None = None
    note: str = ""
    """What the batch says of it where it is not whole."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.video.name if self.video is not None else self.tracks.name


def recordings_in(folder: Path) -> list[Recording]:
    """All track files of a folder and those below it, and what a batch noted without leaving one, by their names."""
    noted = _noted(folder / _MANIFEST)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.npz") if not path.name.startswith(".")}
    return [_recording(folder / key, noted.get(key)) for key in sorted(found | noted.keys())]


def _recording(tracks: Path, entry: Any) -> Recording:
    if not isinstance(entry, dict):
        return Recording(tracks)
    source = Path(str(entry.get("recording", "")))
    said = [str(entry[key]) for key in ("status", "message") if entry.get(key) and entry[key] != "done"]
    return Recording(tracks, source if source.is_file() else None, ": ".join(said))


def _noted(path: Path) -> dict[str, Any]:
    """The recordings of a `batch.json`, by their track files; empty without one. Raises UserError if it is damaged."""
    try:
        if not path.exists():
            return {}
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        recordings = json.loads(path.read_text(encoding="utf-8"))["recordings"]
        keys = [key for key in recordings if (path.parent / key).resolve().is_relative_to(path.parent.resolve())]
        return {key: recordings[key] for key in keys}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: the batch's notes are damaged; move the file away to do without") from error

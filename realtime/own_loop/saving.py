"""Results of another program's loop into a track file, or any other format of one (one thread)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from engines.errors import UserError
from realtime.config import Settings
from realtime.formats.saving import require, save_as
from realtime.live import Result
from realtime.messages import HandFrame
from realtime.reports.versions import versions
from realtime.tracks.writer import TrackWriter


def save_tracks(
    path: str | os.PathLike[str], results: Iterable[HandFrame | Result], settings: Settings | None = None
) -> int:
    """Write results of `Hands` or `LiveHands` as they come into a file, whose ending says the format; how many.

    `results` may be a generator. What is written survives a kill (`<path>.part`, docs/tracks.md); whatever ends it,
    error or Ctrl-C, leaves a whole file of all before. `settings` are kept in the file. Raises UserError, naming the
    file, if it cannot be written, if there is no result, or if pictures of another size or camera come in between.
    """
    path = Path(path)
    require(path.suffix)
    frames = _frames(results)
    first = next(frames, None)
    if first is None:
        raise UserError(f"{path}: there is no result to write")
    texts = "{}" if settings is None else settings.model_dump_json(), json.dumps(versions())
    with TrackWriter(path, first.intrinsics, first.size_px, *texts, save=save_as) as writer:
        for frame in chain([first], frames):
            if (frame.size_px, frame.intrinsics) != (first.size_px, first.intrinsics):
                raise UserError(f"{path}: pictures of another size or camera came; a track file holds one of each")
            writer.append(frame)
    return writer.frames


def _frames(results: Iterable[HandFrame | Result]) -> Iterator[HandFrame]:
    return (result.hands if isinstance(result, Result) else result for result in results)

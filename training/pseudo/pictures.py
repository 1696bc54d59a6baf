"""Pictures to label, in an order that is the same every time: a folder with all below it, or a video (one thread)."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.sources.image_folder import PICTURE_SUFFIXES
from realtime.sources.pictures import UnreadablePicture, read_picture
from realtime.sources.recording import VideoSource

VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".gif")
"""Files of a folder that are taken for videos; a video that is named itself may be called anything."""


@dataclass(frozen=True)
class PictureSet:
    """The pictures of a folder or the frames of a video, and the name their labels are kept under."""

    name: str
    source: Path
    is_video: bool


def picture_sets(sources: list[Path]) -> list[PictureSet]:
    """The sets of these folders and videos; each video of a folder is a set of its own.

    Raises UserError if one is not there, holds nothing to look at, or two would have one name.
    """
    sets: dict[str, PictureSet] = {}
    for found in (one for source in sources for one in _sets_of(source)):
        if found.name in sets:
            raise UserError(
                f"--pictures {found.source}: its labels would be called {found.name}, as those of "
                f"{sets[found.name].source}; rename one, or label it into another --out"
            )
        sets[found.name] = found
    return list(sets.values())


def _sets_of(source: Path) -> list[PictureSet]:
    if source.is_file():
        return [PictureSet(_name(source.resolve().stem), source, is_video=True)]
    if not source.is_dir():
        raise UserError(f"--pictures {source}: no such folder or video")
    found = [PictureSet(_name(path.stem), path, is_video=True) for path in _below(source, VIDEO_SUFFIXES)]
    if paths_of(source):
        found.append(PictureSet(_name(source.resolve().name), source, is_video=False))
    if not found:
        raise UserError(f"--pictures {source}: no picture ({', '.join(PICTURE_SUFFIXES)}) and no video there")
    return found


def _name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "pictures"


def paths_of(folder: Path) -> list[Path]:
    """All pictures below a folder."""
    return _below(folder, PICTURE_SUFFIXES)


def _below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())


def contents_of(source: PictureSet) -> str:
    """What tells whether the set is still the one that was begun: names and sizes of its files."""
    paths = [source.source] if source.is_video else paths_of(source.source)
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def count_of(source: PictureSet, every_s: float) -> int | None:
    """How many pictures there will be; None if a video does not say how long it is."""
    if not source.is_video:
        return len(paths_of(source.source))
    with VideoSource(source.source) as video:
        if not video.frame_count or not video.fps:
            return None
        return math.ceil(video.frame_count / max(video.fps * every_s, 1.0))


def pictures_of(source: PictureSet, every_s: float, first: int = 0) -> Iterator[tuple[str, NDArray[np.uint8] | None]]:
    """(name, (H, W, 3) uint8 BGR) from the picture with number `first` on; None in place of one that is damaged.

    Of a video a frame every `every_s` seconds: neighbours show the same hand.
    """
    if source.is_video:
        yield from _frames(source.source, every_s, first)
        return
    for path in paths_of(source.source)[first:]:
        try:
            yield str(path.relative_to(source.source)), read_picture(path)
        except UnreadablePicture:
            yield str(path.relative_to(source.source)), None


def _frames(path: Path, every_s: float, first: int) -> Iterator[tuple[str, NDArray[np.uint8] | None]]:
    taken, due_s = 0, 0.0
    with VideoSource(path) as video:
        for frame in video:
            if frame.t_capture_s < due_s:
                continue
            due_s = frame.t_capture_s + every_s
            if taken >= first:
                yield f"{frame.t_capture_s:.3f} s", frame.image_bgr
            taken += 1

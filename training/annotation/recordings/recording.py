"""A recording of several cameras: its folder, the videos, and which frames belong to the same moment (any thread).

`recording.json` in a folder of its own tells it all; detections, triangulated hands and marks are kept beside it. The
videos may lie elsewhere and are only read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import in_one_step
from realtime.messages import Frame
from realtime.sources.recording import VideoSource
from training.annotation.cameras.camera import Rig
from training.annotation.cameras.files import load_cameras, save_cameras

MANIFEST: Final = "recording.json"
CAMERAS: Final = "cameras.toml"
_VERSION: Final = 1


@dataclass(frozen=True, eq=False)
class Recording:
    """V cameras with a video each, M moments."""

    folder: Path
    rig: Rig
    videos: tuple[Path, ...]
    frames: NDArray[np.int64]
    """(M, V) number of each moment's frame in each video; -1 where the camera has none."""
    t_s: NDArray[np.float64]
    """(M,) when each moment was."""

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names."""
        return tuple(camera.name for camera in self.rig)

    def pictures(self, view: int) -> Iterator[Frame]:
        """All frames of one video; raises UserError if they are not of the size the camera was calibrated at."""
        camera, path = self.rig[view], self.videos[view]
        with VideoSource(path) as source:
            check_picture_size(camera.name, camera.size_px, source.size_px)
            yield from source

    def save(self) -> None:
        """Write the manifest and the cameras; raises UserError if they cannot be written."""
        save_cameras(self.folder / CAMERAS, self.rig)
        content = {
            "version": _VERSION,
            "cameras": CAMERAS,
            "videos": [
                {"camera": n, "file": _relative(v, self.folder)} for n, v in zip(self.names, self.videos, strict=True)
            ],
            "t_s": self.t_s.tolist(),
            "frames": self.frames.tolist(),
        }
        write_text(self.folder / MANIFEST, json.dumps(content) + "\n")


def load_recording(folder: Path) -> Recording:
    """The recording of a folder; raises UserError naming what is missing or does not fit together."""
    path = folder / MANIFEST
    content = read_json_object(path, "make one with python -m training.annotation gather, record or render")
    try:
        rig = load_cameras(folder / str(content["cameras"]))
        files = {str(video["camera"]): folder / str(video["file"]) for video in content["videos"]}
        frames = np.array(content["frames"], np.int64).reshape(-1, len(files))
        t_s = np.array(content["t_s"], np.float64).reshape(len(frames))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is no recording that this program wrote ({error}); gather it again") from error
    lacking = [name for name in files if name not in {camera.name for camera in rig}]
    if lacking:
        raise UserError(f"{folder / CAMERAS}: has no camera {lacking[0]}, of which there is a video: calibrate it too")
    rig = tuple(next(camera for camera in rig if camera.name == name) for name in files)
    return Recording(folder, rig, tuple(files.values()), frames, t_s)


def check_picture_size(name: str, calibrated_px: tuple[int, int], found_px: tuple[int, int]) -> None:
    """Raise UserError if a camera's pictures are not those it was calibrated for."""
    if calibrated_px == found_px:
        return
    turned = calibrated_px == found_px[::-1]
    way = "the video was turned since: record it as it was calibrated" if turned else "calibrate at the size you record"
    wanted, found = (f"{size[0]}x{size[1]}" for size in (calibrated_px, found_px))
    raise UserError(f"camera {name}: calibrated for {wanted} pictures, its video has {found}; {way}")


def read_json_object(path: Path, way_out: str) -> dict[str, Any]:
    """A JSON file with an object in it; raises UserError saying `way_out` if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {way_out}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged, no JSON; {way_out}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged, no object; {way_out}")
    return content


def write_text(path: Path, text: str) -> None:
    """Put a file in place at once, so that a killed run leaves the old one; raises UserError if that fails."""
    try:
        with in_one_step(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def _relative(path: Path, folder: Path) -> str:
    """Below the folder as such, so that the folder may be moved; else where it is."""
    whole = path.resolve()
    root = folder.resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)

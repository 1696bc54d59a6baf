"""The one place that picks a format by the ending of a file's name (any thread).

`python -m realtime.formats tracks.npz OUT.bvh ...` turns a track file into others.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.files import in_one_step
from realtime.files import check_output
from realtime.tracks.schema import NATIVE_SUFFIX, Tracks

_MODULES: Final = {
    NATIVE_SUFFIX: "realtime.tracks.npz",
    ".jsonl": "realtime.formats.jsonl",
    ".csv": "realtime.formats.csv_table",
    ".parquet": "realtime.formats.parquet",
    ".bvh": "realtime.formats.bvh",
    ".glb": "realtime.formats.gltf",
    ".gltf": "realtime.formats.gltf",
    ".rrd": "realtime.formats.rerun_log",
    ".trc": "realtime.formats.biomechanics.trc",
    ".c3d": "realtime.formats.biomechanics.c3d_file",
    ".openpose_json": "realtime.formats.biomechanics.openpose",
    ".pose2sim_json": "realtime.formats.biomechanics.pose2sim",
    ".pose": "realtime.formats.sign_language.pose_file",
    ".eaf": "realtime.formats.sign_language.eaf",
    ".lerobot": "realtime.formats.robots.lerobot",
    ".mcap": "realtime.formats.robots.mcap_file",
}
_PACKAGES: Final = {
    ".parquet": ("pyarrow", "formats"),
    ".glb": ("pygltflib", "formats"),
    ".gltf": ("pygltflib", "formats"),
    ".rrd": ("rerun", "rerun"),
    ".c3d": ("ezc3d", "formats"),
    ".pose": ("pose_format", "formats"),
    ".lerobot": ("pyarrow", "formats"),
    ".mcap": ("mcap_ros2", "formats"),
}
"""The package that a format needs, and the extra that brings it."""
_WITH_RECORDING: Final = (".eaf",)
"""Formats that show, or name, the video that was tracked."""
_OF_MANY: Final = (".lerobot",)
"""Formats that hold several recordings, and what was tracked."""
FOLDERS: Final = (".openpose_json", ".pose2sim_json", ".lerobot")
"""Formats that are folders of files."""
SUFFIXES: Final = tuple(_MODULES)
"""Endings of the files that `save_as` writes, the native one first."""
FORMATS: Final = tuple(suffix.removeprefix(".") for suffix in SUFFIXES)
"""The same without the dot, as the command line names them."""


def require(suffix: str) -> None:
    """Raise UserError unless files with this ending can be written here."""
    if suffix.lower() not in _MODULES:
        raise UserError(f"{suffix}: no format of tracks; there are {', '.join(SUFFIXES)}")
    package, extra = _PACKAGES.get(suffix.lower(), ("numpy", ""))
    if find_spec(package) is None:
        raise UserError(f"{suffix}: its writer is not installed; run make setup EXTRAS={extra}")


def check_tracks(option: str, path: Path, inputs: Iterable[Path]) -> None:
    """Raise UserError unless tracks may be written to `path`, given with `option`; folders are never replaced."""
    if path.suffix.lower() in FOLDERS and path.exists():
        raise UserError(f"{option} {path}: exists already; remove it, or choose another name")
    check_output(option, path, SUFFIXES, inputs)
    require(path.suffix)


def save_as(tracks: Tracks, path: Path | str, recording: Path | None = None) -> None:
    """Write the tracks in the format that the name's ending says, in one step: there is the whole file or none.

    `recording` is what was tracked, a video or a folder of pictures, for the formats that hold it beside the hands.
    Raises UserError for an ending that is no format or whose package is missing, OSError if it cannot be written.
    """
    save_together([(tracks, recording)], Path(path))


def save_together(recordings: Sequence[tuple[Tracks, Path | None]], path: Path) -> None:
    """Write the tracks of several recordings, each with what was tracked, into one data set; raises as `save_as` does.

    Only some formats hold more than one; UserError for the others.
    """
    suffix = path.suffix.lower()
    require(suffix)
    if len(recordings) > 1 and suffix not in _OF_MANY:
        raise UserError(f"{path}: holds one recording; several become one {' or '.join(_OF_MANY)}")
    module = importlib.import_module(_MODULES[suffix])
    with in_one_step(path) as temporary:
        if suffix in _OF_MANY:
            module.write_together(recordings, temporary)
        elif suffix in _WITH_RECORDING:
            module.write(*recordings[0], temporary)
        else:
            module.write(recordings[0][0], temporary)

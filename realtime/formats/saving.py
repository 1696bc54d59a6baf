"""The one place that picks a format by the ending of a file's name (any thread).

`python -m realtime.formats tracks.npz OUT.bvh ...` turns a track file into others.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.files import in_one_step
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
}
_PACKAGES: Final = {
    ".parquet": ("pyarrow", "formats"),
    ".glb": ("pygltflib", "formats"),
    ".gltf": ("pygltflib", "formats"),
    ".rrd": ("rerun", "rerun"),
}
"""The package that a format needs, and the extra that brings it."""
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


def save_as(tracks: Tracks, path: Path | str) -> None:
    """Write the tracks in the format that the name's ending says, in one step: there is the whole file or none.

    Raises UserError for an ending that is no format or whose package is missing, OSError if it cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    require(suffix)
    module = importlib.import_module(_MODULES[suffix])
    with in_one_step(path) as temporary:
        module.write(tracks, temporary)

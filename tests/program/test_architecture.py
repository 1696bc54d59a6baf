"""The arrows between the folders point one way, and each heavy package is imported in its home only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("engines", "realtime", "viz", "training")
FILES = [path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]

MAY_IMPORT = {
    "engines": {"engines"},
    "realtime": {"engines", "realtime"},
    "viz": {
        "engines.geometry.crop",
        "engines.errors",
        "engines.terminal",
        "engines.geometry.pinhole",
        "engines.skeleton",
        "realtime.messages",
    }
    | {
        "realtime.tracks.schema",
        "realtime.sources",
        "realtime.formats.steady",
        "realtime.opencv_windows",
    }  # one opener of files, one clock, one answer to what windows need
    | {"viz"},
    "training": {"engines", "realtime", "training"},
}
HOMES = {
    "mediapipe": {"realtime/tracking/detector.py"},
    "open3d": {"viz/scene3d/open3d_scene.py"},
    "pyarrow": {"realtime/formats/parquet.py"},
    "pygltflib": {"realtime/formats/gltf.py"},
    "rerun": {"realtime/formats/rerun_log.py"},
    "ray": {"realtime/batch/ray_cluster.py"},
    "nncf": {"engines/building/int8.py"},
    "onnxruntime": {"engines/building/int8.py"},
    "websockets": {"realtime/streams/websocket.py"},
    "openvino": {"engines/backends/openvino_backend.py", "training/lite/mediapipe_trunk.py"},
    "tensorrt": {"engines/backends/tensorrt_backend.py", "engines/build.py"},
    "tensorrt_rtx": {"engines/backends/tensorrt_backend.py", "engines/build.py"},
}


def imported_names(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, also inside functions: `a.b.c` for `from a.b import c`."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrows_point_one_way(folder: str) -> None:
    files = [path for path in FILES if path.parts[0] == folder]
    assert files
    against = {(str(path), name) for path in files for name in imported_names(path) if not may_import(folder, name)}
    assert not against


def may_import(folder: str, name: str) -> bool:
    """Whether `folder` may import `name`; what is not ours, it may."""
    if name.split(".", 1)[0] not in {*FOLDERS, "run_demo"}:
        return True
    return any(f"{name}.".startswith(f"{allowed}.") for allowed in MAY_IMPORT[folder])


@pytest.mark.parametrize("package", HOMES)
def test_heavy_packages_stay_in_their_homes(package: str) -> None:
    users = {path.as_posix() for path in FILES for name in imported_names(path) if name.split(".", 1)[0] == package}
    assert users <= HOMES[package]


def test_package_files_hold_a_docstring_only() -> None:
    for path in (path for path in FILES if path.name == "__init__.py"):
        body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        # What reports home is switched off before anything of it can be imported.
        assert len(body) == (3 if path.as_posix() == "engines/__init__.py" else 1), path
        assert ast.get_docstring(ast.Module(body, [])), path


def test_no_module_hides_one_of_the_standard_library() -> None:
    assert not {str(path) for path in FILES if path.stem in sys.stdlib_module_names and path.stem != "__init__"}

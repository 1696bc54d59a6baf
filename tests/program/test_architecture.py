"""The arrows between folders and rooms point one way, and each heavy package is imported in its home only.

All imports of a file count, those inside functions, too: a late import closes a circle as well as any other.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("engines", "realtime", "viz", "training")
FILES = [path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
KNOWN = frozenset(FILES)

MAY_IMPORT = {
    "engines": {"engines"},
    "realtime": {"engines", "realtime"},
    "viz": {
        "engines.geometry.crop",
        "engines.errors",
        "engines.files",
        "engines.terminal",
        "engines.geometry.pinhole",
        "engines.skeleton",
        "realtime.messages",
        "realtime.command",
        "realtime.files",
    }
    | {
        "realtime.live",
        "realtime.sinks",
        "realtime.handover",
    }  # what comes out of a run, and what takes it
    | {
        "realtime.tracks.schema",
        "realtime.tracks.reader",
        "realtime.tracks.recorded_from",
        "realtime.sources",
        "realtime.formats.steady",
        "realtime.opencv_windows",
        "realtime.x_windows",
    }  # one opener of files, one clock, one answer to what windows need
    | {"viz"},
    "training": {"engines", "realtime", "training"},
}
ROOMS = {
    "engines": """
        no_telemetry heap redaction terminal text_file skeleton spec pair_spec npz files
        errors output
        mediapipe_wheel
        user_folders installed presets geometry pair_boxes
        remembered
        openvino_core
        region ssd_boxes
        palm_boxes body_points
        contract networks witness_file
        building
        cache verification
        kept_networks
        wheel_network
        pair_detector palm_detector body_detector
        backends
        second_look
        answers
        build convert
    """,
    "realtime": """
        messages config yaml_text files locking command timing handover snapshot x_windows
        layers
        engine sources tracking opencv_windows
        camera_space
        rotations
        pipeline live
        sinks
        tracks
        formats streams reports calibration
        batch cli calibrate own_loop
        api
    """,
    "viz": """
        viewer drawing
        scene3d
        window video
        views playback
        report
    """,
    "training": """
        command json_numbers sidecar banks loop synth/hand
        datasets synth/person
        evaluation synth/pair
        lite registry sequences synth/held
        evaluate mix_trunk paper prepare pseudo witness synth/scene
        depth pseudo_labels pairs composed synth/render
        settings composed_pairs
        export held_out train evaluate_detector evaluate_clasped synth/story
        ablation retraining synth
        retrain annotation/cameras
        annotation/detection
        annotation/calibration annotation/recordings annotation/triangulation
        annotation/accuracy annotation/correction annotation/export annotation/keypoints annotation/reports
        annotation
        annotation/rigs
        annotation/steps
    """,
}
"""Rooms (folders; files that lie in none) of a wing: each line may import those above it, none of its own line.

A folder stands for the folders in it, unless they are named themselves, as "synth/hand".
"""
SHOWN_BY_BACKENDS = {"engines.backends.opening", "engines.backends.gpu", "engines.backends.tf32"}
"""All that others may import of the room: what opens one of them, and two files about the GPU."""
HOMES = {
    "mediapipe": set(),
    "open3d": {"viz/scene3d/open3d_scene.py"},
    "pyarrow": {"realtime/formats/parquet.py", "realtime/formats/robots/lerobot_tables.py"},
    "pygltflib": {"realtime/formats/gltf.py"},
    "rerun": {"realtime/formats/rerun_log.py"},
    "mcap_ros2": {"realtime/formats/robots/mcap_file.py"},
    "ezc3d": {"realtime/formats/biomechanics/c3d_file.py"},
    "pose_format": {"realtime/formats/sign_language/pose_file.py"},
    "ray": {"realtime/batch/ray_cluster.py"},
    "nncf": {"engines/building/int8.py"},
    "onnxruntime": {"engines/building/int8.py"},
    "websockets": {"realtime/streams/websocket.py"},
    "openvino": {
        "engines/backends/openvino_backend.py",
        "engines/backends/openvino_compiled.py",
        "engines/building/openvino_files.py",
        "engines/building/openvino_weights.py",
        "engines/kept_networks.py",
        "engines/openvino_core.py",
        "engines/pair_detector.py",
        "training/lite/early_stages.py",
        "training/lite/mediapipe_trunk.py",
        "training/pseudo/landmarks.py",
    },
    "tensorrt": {"engines/building/tensorrt_package.py"},
    "tensorrt_rtx": {"engines/building/tensorrt_package.py"},
}


@cache
def imported_names(path: Path) -> tuple[str, ...]:
    """Full names of all that a file imports, also inside functions: `a.b.c` for `from a.b import c`."""
    return tuple(_imported_names(path))


def _imported_names(path: Path) -> Iterator[str]:
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


def own_imports(path: Path) -> set[Path]:
    """The files of the same wing that a file imports; packages hold no code."""
    found = (file_of(name) for name in imported_names(path) if name.split(".", 1)[0] == path.parts[0])
    return {file for file in found if file is not None}


def file_of(name: str) -> Path | None:
    """The file in which a name such as `engines.spec.LITE` is; None for a package."""
    parts = name.split(".")
    files = (Path(*parts[:n]).with_suffix(".py") for n in range(len(parts), 1, -1))
    return next((file for file in files if file in KNOWN), None)


def lines_of(wing: str) -> dict[str, int]:
    """Each room of a wing, and the number of its line."""
    lines = ROOMS[wing].split("\n")
    return {room: number for number, line in enumerate(lines) for room in line.split()}


def room_of(path: Path, rooms: dict[str, int]) -> str:
    """The innermost of `rooms` that a file is in, or is; raises LookupError if there is none."""
    inside = path.relative_to(path.parts[0])
    for place in (inside.with_suffix(""), *inside.parents):
        if place.as_posix() in rooms:
            return place.as_posix()
    raise LookupError(f"{path} is in no room")


def is_code(path: Path) -> bool:
    return path.name != "__init__.py"


def test_a_folder_stands_for_those_in_it_that_have_no_name_of_their_own() -> None:
    rooms = {"synth": 0, "synth/hand": 1, "bank": 2}
    files = ("synth/hand/mesh.py", "synth/pair/touch.py", "synth/render.py", "bank.py")
    assert [room_of(Path("training") / file, rooms) for file in files] == ["synth/hand", "synth", "synth", "bank"]
    with pytest.raises(LookupError, match=r"lost\.py is in no room"):
        room_of(Path("training/lost.py"), rooms)


@pytest.mark.parametrize("wing", ROOMS)
def test_rooms_import_what_stands_above_them_only(wing: str) -> None:
    lines = lines_of(wing)
    files = [path for path in FILES if path.parts[0] == wing and is_code(path)]
    assert {room_of(path, lines) for path in files} == set(lines)
    against = [
        f"{path} imports {other}"
        for path in files
        for other in own_imports(path)
        if room_of(path, lines) != room_of(other, lines) and lines[room_of(other, lines)] >= lines[room_of(path, lines)]
    ]
    assert not against


@pytest.mark.parametrize("wing", FOLDERS)
def test_no_files_import_each_other_in_a_circle(wing: str) -> None:
    files = [path for path in FILES if path.parts[0] == wing and is_code(path)]
    try:
        TopologicalSorter({path: own_imports(path) for path in files}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(str(path) for path in reversed(error.args[1])))


def test_one_place_knows_the_backends() -> None:
    room = Path("engines/backends")
    inside = [path for path in FILES if room in path.parents]
    names = {"engines.backends." + path.stem for path in inside if is_code(path)} - SHOWN_BY_BACKENDS
    assert len(names) > len(SHOWN_BY_BACKENDS)
    outside = [path for path in FILES if room not in path.parents]
    assert not [(str(path), name) for path in outside for name in imported_names(path) if knows(name, names)]
    opening = "engines.backends.opening"
    assert not [str(path) for path in inside for name in imported_names(path) if knows(name, {opening})]


def knows(name: str, modules: set[str]) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("package", HOMES)
def test_heavy_packages_stay_in_their_homes(package: str) -> None:
    users = {path.as_posix() for path in FILES for name in imported_names(path) if name.split(".", 1)[0] == package}
    assert users <= HOMES[package]


def test_xlib_is_loaded_and_described_in_one_place() -> None:
    users = [path.as_posix() for path in FILES if "libX11" in (ROOT / path).read_text(encoding="utf-8")]
    assert users == ["realtime/x_windows.py"]


def test_package_files_hold_a_docstring_only() -> None:
    """But for the one that switches off what reports home, before anything else is imported."""
    for path in (path for path in FILES if path.name == "__init__.py"):
        body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        assert len(body) == (3 if path.as_posix() == "engines/__init__.py" else 1), path
        assert ast.get_docstring(ast.Module(body, [])), path


def test_no_module_hides_one_of_the_standard_library() -> None:
    assert not {str(path) for path in FILES if path.stem in sys.stdlib_module_names and path.stem != "__init__"}


def test_commands_above_the_engines_have_one_parser() -> None:
    """A mistake is one line that names the help; `realtime/command.py` is where that is made."""
    files = [path for folder in ("realtime", "viz", "training", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    own = {str(path.relative_to(ROOT)) for path in files if "argparse.ArgumentParser(" in path.read_text("utf-8")}
    assert own <= {"realtime/command.py"}

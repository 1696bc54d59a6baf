"""Calibration files: our own, and those that OpenCV's, ROS's and other tools write (any thread).

Each tool has other names for the same numbers, and says in its own way which model of the lens they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as Xml

import numpy as np
import yaml

from engines.errors import UserError
from engines.geometry import fisheye
from engines.geometry.distortion import COUNTS, LensModel, trimmed
from engines.geometry.pinhole import Intrinsics
from engines.text_file import read_text

MAX_FILE_BYTES: Final = 1 << 20
_MATRIX: Final = ("camera_matrix", "cameraMatrix", "K", "k", "intrinsic_matrix")
_NUMBERS: Final = (("fx",), ("fy",), ("cx", "ppx"), ("cy", "ppy"))
"""`ppx`, `ppy`: RealSense. Kalibr has all four in a list, `intrinsics`."""
_DISTORTION: Final = (
    *("distortion_coefficients", "distCoeffs", "dist_coeffs", "distortion", "D", "d"),
    *("distortion_coeffs", "coeffs"),
)
_PAIRS: Final = ("cameraResolution", "resolution")
"""(width, height) in a list: OpenCV's interactive calibration, Kalibr."""
_MODEL: Final = ("distortion_model", "camera_model", "model")
_MODELS: Final[dict[str, LensModel]] = {
    **dict.fromkeys(("", "none", "pinhole", "perspective", "opencv", "full_opencv"), "pinhole"),
    **dict.fromkeys(("plumb_bob", "rational_polynomial", "radtan", "brown_conrady"), "pinhole"),
    **dict.fromkeys(("fisheye", "equidistant", "equi", "kannala_brandt4", "opencv_fisheye"), "fisheye"),
}
"""ROS's, Kalibr's, RealSense's and COLMAP's names of OpenCV's two models."""
_FISHEYE_MARKS: Final = ("fisheye_model", "fisheye")
"""Numbers or truths that say so: OpenCV's calibration, Anipose."""


def load_calibration(path: Path | str) -> tuple[Intrinsics, tuple[int, int]]:
    """The intrinsics in a file, and the (width, height) of the pictures that they were measured in.

    Raises UserError if it cannot be read, or is of a model of the lens that is none of OpenCV's two.
    """
    path = Path(path)
    return _parse(_tree(path), path)


def save_intrinsics(
    path: Path | str, intrinsics: Intrinsics, size_px: tuple[int, int], notes: Mapping[str, object] | None = None
) -> None:
    """Write a calibration of pictures of `size_px` (width, height) as JSON, which is YAML too.

    `notes` are further JSON values, which no reader needs. Missing folders are created; raises UserError if the file
    cannot be written.
    """
    path = Path(path)
    i = intrinsics
    tree: dict[str, object] = {"fx": i.fx, "fy": i.fy, "cx": i.cx, "cy": i.cy, "width": size_px[0]}
    tree |= {"height": size_px[1], "distortion_coefficients": list(i.distortion), "distortion_model": i.lens_model}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(tree | dict(notes or {}), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: the calibration cannot be written ({error.strerror})") from error


class _Loader(yaml.SafeLoader):
    """The safe subset, and OpenCV's matrices as the plain mappings they are."""


def _matrix_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix_mapping)


def _tree(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(f"{path}: too large for a calibration file")
        tree = _read(read_text(path), path.suffix.lower())
    except OSError as error:
        way_out = "name a file that python -m realtime.calibrate wrote, or give --fov instead"
        raise UserError(f"{path}: the calibration cannot be read ({error.strerror}); {way_out}") from error
    except (ValueError, yaml.YAMLError, Xml.ParseError, RecursionError) as error:
        raise UserError(f"{path}: is no calibration in YAML, JSON or OpenCV's XML") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path}: is no calibration; it needs fx, fy, cx, cy, width, height or a camera_matrix")
    cameras = [key for key, value in tree.items() if isinstance(value, dict) and "intrinsics" in value]
    if len(cameras) > 1:
        raise UserError(f"{path}: holds several cameras ({', '.join(map(str, cameras))}); leave the one that is meant")
    return dict(tree[cameras[0]]) if cameras else tree


def _read(text: str, suffix: str) -> Any:
    if text.lstrip().startswith("<"):
        return {child.tag: _xml_value(child) for child in Xml.fromstring(text)}
    if suffix == ".json":
        return json.loads(text)
    # OpenCV's first line "%YAML:1.0" is not what YAML demands ("%YAML 1.0").
    text = text.partition("\n")[2] if text.startswith("%YAML:") else text
    # ROS ends each message with "---", as if another one came.
    return next((tree for tree in yaml.load_all(text, _Loader) if tree is not None), None)


def _xml_value(element: Xml.Element) -> Any:
    return {child.tag: _xml_value(child) for child in element} if len(element) else (element.text or "").strip()


def _parse(tree: dict[str, Any], path: Path) -> tuple[Intrinsics, tuple[int, int]]:
    try:
        model = _lens_model(tree, path)
        _check_whole_picture(tree, path)
        fx, fy, cx, cy = _focal_and_centre(tree)
        distortion = _coefficients(tree, model, path)
        size_px = _size(tree)
    except KeyError as error:
        raise UserError(
            f"{path}: the calibration lacks {error}; it needs fx, fy, cx, cy or a camera_matrix, and width, height"
        ) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: the calibration holds something that is no number or no 3x3 matrix") from error
    return Intrinsics(fx, fy, cx, cy, distortion=distortion, lens_model=model), size_px


def _focal_and_centre(tree: dict[str, Any]) -> tuple[float, ...]:
    name = next((key for key in _MATRIX if key in tree), None)
    if name is not None:
        k = _numbers(tree[name]).reshape(3, 3)
        return tuple(float(v) for v in (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
    if "intrinsics" in tree:
        return tuple(float(v) for v in _numbers(tree["intrinsics"]).reshape(4))
    return tuple(float(tree[next((key for key in keys if key in tree), keys[0])]) for keys in _NUMBERS)


def _size(tree: dict[str, Any]) -> tuple[int, int]:
    pair = next((tree[key] for key in _PAIRS if key in tree), None)
    if pair is not None:
        width, height = _numbers(pair).reshape(2)
    else:
        width, height = (tree[key] if key in tree else tree[f"image_{key}"] for key in ("width", "height"))
    return int(width), int(height)


def _lens_model(tree: dict[str, Any], path: Path) -> LensModel:
    """Which model the coefficients are of; a file that says nothing means the pinhole."""
    named = [str(tree[key]).lower().removeprefix("distortion.") for key in _MODEL if tree.get(key) is not None]
    marked = [str(tree[key]).lower() for key in _FISHEYE_MARKS if key in tree]
    unknown = [name for name in named if name not in _MODELS] + ["with xi (omnidirectional)"] * ("xi" in tree)
    if unknown:
        raise UserError(
            f"{path}: the lens model {unknown[0]} is not known here, only OpenCV's pinhole and fisheye; "
            "calibrate with python -m realtime.calibrate"
        )
    fisheyes = [_MODELS[name] for name in named if _MODELS[name] == "fisheye"]
    return "fisheye" if fisheyes or any(mark in ("1", "true") for mark in marked) else "pinhole"


def _coefficients(tree: dict[str, Any], model: LensModel, path: Path) -> tuple[float, ...]:
    """The lens's; none if the file has none or, of a pinhole, only zeros."""
    values = _numbers(next((tree[key] for key in _DISTORTION if tree.get(key) is not None), []))
    counts = (fisheye.COUNT,) if model == "fisheye" else COUNTS
    if model == "fisheye" and not len(values):
        values = np.zeros(fisheye.COUNT)
    if len(values) > 0 and len(values) not in counts:
        raise UserError(
            f"{path}: {len(values)} distortion coefficients; "
            f"OpenCV's {model} model has {', '.join(map(str, counts[:-1]))}{' or ' * (len(counts) > 1)}{counts[-1]}"
        )
    return trimmed(values.tolist(), model)


def _check_whole_picture(tree: dict[str, Any], path: Path) -> None:
    """Raise UserError for ROS's messages of a camera that sends a part of its picture, or fewer pixels."""
    region: Any = tree.get("roi") if isinstance(tree.get("roi"), dict) else {}
    moved = [region.get("x_offset", 0), region.get("y_offset", 0)]
    if any(moved) or any(tree.get(f"binning_{axis}", 0) not in (0, 1) for axis in "xy"):
        raise UserError(f"{path}: is of a camera with binning or a region of interest; calibrate the picture it gives")


def _numbers(node: Any) -> np.ndarray:
    """All numbers of nested lists, of a text with blanks or commas, or of OpenCV's and ROS's mapping with `data`."""
    return np.array(list(_flat(node["data"] if isinstance(node, dict) else node)), dtype=np.float64)


def _flat(node: Any) -> Iterator[Any]:
    if isinstance(node, str):
        yield from node.replace(",", " ").split()
    elif isinstance(node, list | tuple):
        for each in node:
            yield from _flat(each)
    else:
        yield node

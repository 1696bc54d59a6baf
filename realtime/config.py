"""Typed settings: `default.yaml`, and layers over it, checked as a whole (any thread).

The defaults stand in `default.yaml` alone, so nothing here has one; which layer wins over which is said in
`realtime.cli.options`. A mistake is one line that names the key, the value, where it came from, and what was probably
meant.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engines.contract import BackendName, Precision
from engines.errors import UserError
from engines.second_look import Looks
from engines.text_file import read_text

DEFAULT_FILE: Final = Path(__file__).with_name("default.yaml")

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Person = Literal["nearest", "largest", "first"]
Tree = dict[str, Any]
_RENAMED: Final = {
    "tracker.lose_after_frames": "it is 'tracker.lose_after_s' now, in seconds: 5 frames at 30 Hz were 0.15",
    "tracker.crop_smoothing": "it is 'tracker.crop_smoothing_s' now, a time constant: 0.5 at 30 Hz was 0.05",
}
"""What became of settings of earlier versions."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CameraSettings(_Section):
    """What is asked of a camera."""

    width: Annotated[int, Field(ge=1, le=8192)]
    height: Annotated[int, Field(ge=1, le=8192)]
    fps: Annotated[float, Field(gt=0, le=1000)]
    reconnect_s: NotNegative
    mirrored: bool


class IntrinsicsSettings(_Section):
    """Where focal lengths and principal point come from."""

    source: Literal["fov", "normalised", "file"]
    fov_deg: Annotated[float, Field(ge=5, le=170)]
    file: str | None

    @model_validator(mode="after")
    def _file_is_named(self) -> IntrinsicsSettings:
        if self.source == "file" and not self.file:
            raise ValueError("source 'file' needs intrinsics.file")
        return self


class EngineSettings(_Section):
    """Which network runs, and on what."""

    preset: Literal["lite", "paper", "paper-argmax"]
    weights: str | None
    rootnet: str | None
    backend: BackendName
    precision: Precision
    threads: Annotated[int, Field(ge=0, le=1024)]
    witness: bool
    second_look: Looks
    cache: str | None
    calibration: str | None

    @model_validator(mode="after")
    def _calibration_is_for_int8(self) -> EngineSettings:
        if self.calibration and self.precision != "int8":
            raise ValueError("calibration goes with precision int8 only")
        return self


class DetectorSettings(_Section):
    """When and how hands are searched for."""

    min_score: Share
    interval_s: NotNegative
    max_hands: Literal[1, 2]
    pairs: bool


class TrackerSettings(_Section):
    """When crops merge, split and are lost; overlaps are shares of the smaller hand's box."""

    merge_overlap: Share
    split_overlap: Share
    lose_probability: Share
    lose_confidence: Share
    lose_after_s: NotNegative
    crop_smoothing_s: NotNegative
    person: Person

    @model_validator(mode="after")
    def _split_below_merge(self) -> TrackerSettings:
        if self.split_overlap >= self.merge_overlap:
            raise ValueError("split_overlap must be below merge_overlap, or crops would merge and split in turns")
        return self


class FusionSettings(_Section):
    """The wrists' absolute depth: where it comes from, and the relative-depth rule."""

    depth: Literal["root", "closed", "fused"]
    hand_length_mm: Annotated[float, Field(ge=80, le=300)] | None
    keep_bones: bool
    blend_s: NotNegative


class OneEuroSettings(_Section):
    """One filter: cutoff in Hz = min_cutoff_hz + beta * speed in mm/s."""

    min_cutoff_hz: Positive
    beta: NotNegative


class SmoothingSettings(_Section):
    """The filters of a hand."""

    max_gap_s: Positive
    derivative_cutoff_hz: Positive
    image: OneEuroSettings
    relative_depth: OneEuroSettings
    wrist_depth: OneEuroSettings


class TimingSettings(_Section):
    """What the table of stages counts."""

    warmup_frames: Annotated[int, Field(ge=0)]


class Settings(_Section):
    """All settings; `model_dump_json()` gives them as JSON text."""

    camera: CameraSettings
    intrinsics: IntrinsicsSettings
    engine: EngineSettings
    detector: DetectorSettings
    tracker: TrackerSettings
    fusion: FusionSettings
    smoothing: SmoothingSettings
    timing: TimingSettings


@dataclass(frozen=True)
class Layer:
    """What somebody says of some settings; `name` is who, for errors."""

    name: str
    tree: Tree

    @staticmethod
    def of(name: str, values: Mapping[str, Any]) -> Layer:
        """From settings by their dotted names, such as "camera.fps"."""
        tree: Tree = {}
        for key, value in values.items():
            branch: Any = value
            for part in reversed(key.split(".")):
                branch = {part: branch}
            _merge(tree, branch)
        return Layer(name, tree)


def file_layer(path: Path | str) -> Layer:
    """A settings file. Raises UserError if it cannot be read."""
    return Layer(str(path), _read_yaml(Path(path)))


def set_layer(text: str) -> Layer:
    """What was typed behind `--set`, such as "camera.fps=60". Raises UserError if it is no setting and value."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: write it as --set section.name=value, such as --set camera.fps=60")
    return Layer.of(f"--set {text}", {key.strip(): _parse_yaml(value, f"--set {text}")})


def load_settings(path: Path | str | None = None, overrides: Iterable[str] = ()) -> Settings:
    """The defaults, then the settings file, then texts as for `--set`. Raises UserError as `settings_of` does."""
    return settings_of([*([] if path is None else [file_layer(path)]), *map(set_layer, overrides)])


def settings_of(layers: Iterable[Layer]) -> Settings:
    """The defaults with these layers over them, the later ones on top.

    Raises UserError for an unknown key, or a value of the wrong type or range, naming the layer.
    """
    tree = _read_yaml(DEFAULT_FILE)
    known = set(_keys(tree))
    origin = dict.fromkeys(known, str(DEFAULT_FILE))
    for layer in layers:
        _check_keys(layer.tree, tree, known, layer.name)
        origin.update(dict.fromkeys(_keys(layer.tree), layer.name))
        _merge(tree, layer.tree)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise UserError(_describe(error, origin)) from error


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, in which 1e-4 is a number and a key may stand only once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; a repeated key is an error."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _read_yaml(path: Path) -> Tree:
    try:
        text = read_text(path)
    except OSError as error:
        raise UserError(f"{path}: the settings file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no settings file (not UTF-8 text)") from error
    tree = _parse_yaml(text, str(path))
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UserError(f"{path}: a settings file has sections, such as 'camera:' with 'fps: 30' indented below")
    return tree


def _parse_yaml(text: str, name: str) -> Any:
    try:
        return _Loader(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None and "\n" in text else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{name}: is no valid YAML ({problem}{line})") from error


def _keys(tree: Tree, prefix: str = "") -> Iterator[str]:
    """Dotted keys of all values and sections."""
    for key, value in tree.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")


def _check_keys(layer: Tree, tree: Tree, known: set[str], name: str, prefix: str = "") -> None:
    """Raise UserError for a key that is not in `tree`, and for a section that is no section in `layer`."""
    for key, value in layer.items():
        dotted = f"{prefix}{key}"
        if dotted not in known:
            raise UserError(f"{name}: unknown setting '{dotted}'; {_suggest(dotted, known)}")
        if isinstance(tree[key], dict):
            if not isinstance(value, dict):
                raise UserError(f"{name}: '{dotted}' is a section with {', '.join(tree[key])}; it has no own value")
            _check_keys(value, tree[key], known, name, f"{dotted}.")
        elif isinstance(value, dict):
            raise UserError(f"{name}: '{dotted}' is a value, not a section; nothing can stand below it")


def _suggest(dotted: str, known: set[str]) -> str:
    if dotted in _RENAMED:
        return _RENAMED[dotted]
    leaf = dotted.rpartition(".")[2]
    close = [k for k in sorted(known) if k.rpartition(".")[2] == leaf]
    close += difflib.get_close_matches(dotted, known, n=2, cutoff=0.8)
    if not close:
        leaves = {k.rpartition(".")[2]: k for k in known}
        close = [leaves[k] for k in difflib.get_close_matches(leaf, leaves, n=3, cutoff=0.6)]
    if close:
        return "did you mean " + " or ".join(f"'{k}'" for k in dict.fromkeys(close)) + "?"
    return f"{DEFAULT_FILE.name} lists all there are"


def _merge(tree: Tree, layer: Tree) -> None:
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value


def _describe(error: ValidationError, origin: dict[str, str]) -> str:
    """One line on the first mistake."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    # A rule between two settings of a section is reported for the section: blame whoever set one of them last.
    names = [name for k, name in origin.items() if k == key or k.startswith(f"{key}.")]
    name = next((n for n in reversed(names) if n != str(DEFAULT_FILE)), names[-1] if names else str(DEFAULT_FILE))
    problem = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(first["input"], dict | BaseModel):
        return f"{name}: {key}: {problem}"
    return f"{name}: {key} = {first['input']!r} {problem}"

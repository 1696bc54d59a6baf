"""All settings: `default.yaml`, and layers over it, checked as a whole (any thread).

Which layer wins over which is said in `realtime.cli.options`. A mistake is one line that names the key, the value,
where it came from, and what was probably meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from engines.errors import UserError
from realtime.config import Settings
from realtime.yaml_text import Tree, parse_yaml, read_settings_file

DEFAULT_FILE: Final = Path(__file__).with_name("default.yaml")
_RENAMED: Final = {
    "tracker.lose_after_frames": "it is 'tracker.lose_after_s' now, in seconds: 5 frames at 30 Hz were 0.15",
    "tracker.crop_smoothing": "it is 'tracker.crop_smoothing_s' now, a time constant: 0.5 at 30 Hz was 0.05",
}
"""What became of settings of earlier versions."""


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
    return Layer(str(path), read_settings_file(Path(path)))


def set_layer(text: str) -> Layer:
    """What was typed behind `--set`, such as "camera.fps=60". Raises UserError if it is no setting and value."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: write it as --set section.name=value, such as --set camera.fps=60")
    return Layer.of(f"--set {text}", {key.strip(): parse_yaml(value, f"--set {text}")})


def load_settings(path: Path | str | None = None, overrides: Iterable[str] = ()) -> Settings:
    """The defaults, then the settings file, then texts as for `--set`. Raises UserError as `settings_of` does."""
    return settings_of([*([] if path is None else [file_layer(path)]), *map(set_layer, overrides)])


def settings_of(layers: Iterable[Layer]) -> Settings:
    """The defaults with these layers over them, the later ones on top.

    Raises UserError for an unknown key, or a value of the wrong type or range, naming the layer.
    """
    tree = read_settings_file(DEFAULT_FILE)
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

"""Settings of any training run: a YAML file, checked strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml
from pydantic import ValidationError

from engines.errors import UserError
from engines.text_file import read_text
from training.lite.settings import Settings
from training.pairs.settings import PairSettings
from training.paper.settings import InterNetSettings, RootNetSettings

AnySettings: TypeAlias = Settings | InterNetSettings | RootNetSettings | PairSettings
_KINDS: Final[dict[str, type[AnySettings]]] = {
    "lite": Settings,
    "internet": InterNetSettings,
    "rootnet": RootNetSettings,
    "pairs": PairSettings,
}


def start_override(weights: Path | None) -> list[str]:
    """What `--weights` of a command changes in the settings: the run starts, or started, from these."""
    return [f"start={json.dumps(str(weights))}"] if weights else []


def load_settings(path: Path, overrides: list[str]) -> Settings:
    """`load_any_settings` where only `lite` will do."""
    settings = load_any_settings(path, overrides)
    if not isinstance(settings, Settings):
        raise UserError(f"{path}: settings of network {settings.network}; this takes those of lite")
    return settings


def load_any_settings(path: Path, overrides: list[str]) -> AnySettings:
    """Read a YAML file and apply `a.b=value` overrides; raises UserError naming what does not fit.

    `network` (lite, internet, rootnet, pairs) says what the rest means. With `base: other.yaml` the file only holds
    what differs from that other one, which lies beside it.
    """
    values = _read(path)
    for override in overrides:
        _apply(values, override)
    kind = str(values.get("network", "lite"))
    if kind not in _KINDS:
        raise UserError(f"{path}: network {kind!r} is unknown; choose one of {', '.join(_KINDS)}")
    try:
        return _KINDS[kind].model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {name}: {first['msg']} (got {first.get('input')!r})") from error


def _read(path: Path, within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's values over those of its `base`, which is named from its own folder."""
    if path.resolve() in within:
        raise UserError(f"{path}: is its own base; name another file there")
    if not path.is_file():
        raise UserError(f"{path}: {'a folder, not a' if path.is_dir() else 'no such'} settings file")
    try:
        values = yaml.safe_load(read_text(path)) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: not a file of settings: it needs lines of name: value")
    base = values.pop("base", None)
    return values if base is None else _merged(_read(path.parent / str(base), (*within, path.resolve())), values)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Sections are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def _apply(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override}: write it as name=value, for example schedule.samples=100000")
    *parents, last = name.split(".")
    section: Any = values
    for parent in parents:
        section = (
            section.setdefault(parent, {}) if isinstance(section, dict) else section[_place(section, parent, override)]
        )
        if not isinstance(section, dict | list):
            raise UserError(f"--set {override}: {parent} is no section")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: the value is not valid YAML") from error
    section[last if isinstance(section, dict) else _place(section, last, override)] = value


def _place(entries: list[Any], name: str, override: str) -> int:
    """Number of an entry of a list, from 0: `data.train.0.root`."""
    if not name.isdecimal() or int(name) >= len(entries):
        raise UserError(f"--set {override}: {name} is no entry of a list of {len(entries)}, counted from 0")
    return int(name)

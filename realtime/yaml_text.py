"""Text of settings as YAML: its safe subset, and one line for what cannot be read (any thread)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from engines.errors import UserError
from engines.text_file import read_text

Tree = dict[str, Any]


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


def read_settings_file(path: Path) -> Tree:
    """The sections of a settings file; raises UserError where it is none."""
    try:
        text = read_text(path)
    except OSError as error:
        raise UserError(f"{path}: the settings file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no settings file (not UTF-8 text)") from error
    tree = parse_yaml(text, str(path))
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UserError(f"{path}: a settings file has sections, such as 'camera:' with 'fps: 30' indented below")
    return tree


def parse_yaml(text: str, name: str) -> Any:
    """What a text says; raises UserError that begins with `name` where it is no YAML."""
    try:
        return _Loader(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None and "\n" in text else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{name}: is no valid YAML ({problem}{line})") from error

"""Which of our own sources decide what is in an engine, and their hash: a changed network is another engine.

They are the makers in `engines/building/` and all that these import, found by reading the imports; no list can be
forgotten. What only uses, compares or reports engines is not among them. Of a source the code counts, not its comments.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.remembered import remembered

ROOT: Final = Path(__file__).parents[2]
_PACKAGE: Final = "engines"
_MAKERS: Final = tuple(
    f"{_PACKAGE}.building.{name}" for name in ("engine_graph", "openvino_files", "tensorrt_plan", "tensorrt_package")
)
_WORDS: Final = frozenset({f"{_PACKAGE}/errors.py"})
"""Say what went wrong, and decide nothing."""


@cache
def own_sources_sha256() -> str:
    """`sources_sha256` of the code that runs; worked out anew only if anything in `engines/` is another one since."""
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted((ROOT / _PACKAGE).rglob("*.py")):
        digest.update(f"{file.relative_to(ROOT)} ".encode() + file.read_bytes())
    return remembered("sources", digest.digest(), lambda: sources_sha256(ROOT), "[0-9a-f]{64}")


def sources_sha256(root: Path) -> str:
    """Hash of the code of `source_files`; another version of Python may give another one."""
    digest = hashlib.sha256()
    for name, code in sorted(_sources(root).items()):
        digest.update(f"{name}\n{code}\n".encode())
    return digest.hexdigest()


def source_files(root: Path = ROOT) -> set[str]:
    """The files, such as `engines/networks/lite.py`, of the checkout at `root`; raises UserError if one is missing."""
    return set(_sources(root))


def _sources(root: Path) -> dict[str, str]:
    """Path below `root` -> hash of its code, of all that is reached from the makers; one syntax tree at a time."""
    found: dict[str, str] = {}
    waiting = [_file_of(module) for module in _MAKERS]
    while waiting:
        name = waiting.pop()
        if name in found or name in _WORDS:
            continue
        try:
            tree = ast.parse((root / name).read_bytes())
        except OSError as error:
            raise UserError(f"{root / name}: is missing, and engines depend on it; fetch the checkout again") from error
        waiting += _imported_files(root, tree)
        found[name] = hashlib.sha256(ast.dump(_without_remarks(tree)).encode()).hexdigest()
    return found


def _imported_files(root: Path, tree: ast.Module) -> Iterator[str]:
    """Our own files that are imported anywhere in a file, also where they are not there; packages hold no code."""
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (_file_of(alias.name) for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module is not None and _is_ours(node.module):
            if (root / node.module.replace(".", "/")).is_dir():
                yield from (_file_of(f"{node.module}.{alias.name}") for alias in node.names)
            else:
                yield _file_of(node.module)


def _is_ours(module: str) -> bool:
    return module.split(".", 1)[0] == _PACKAGE


def _file_of(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all statements in it, a tenth of its nodes: imports and docstrings are nowhere else."""
    yield node
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        inside = getattr(node, part, None)
        if isinstance(inside, list):
            for one in inside:
                yield from _statements(one)


def _without_remarks(tree: ast.Module) -> ast.Module:
    """The tree without its docstrings, in place; of comments a tree has none."""
    for node in _statements(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [statement for statement in body if not _is_text(statement)]  # type: ignore[attr-defined]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
        return False
    return isinstance(statement.value.value, str)

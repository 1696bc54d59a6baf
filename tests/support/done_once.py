"""What each test process would do anew, done once before any of them starts: `python -m tests.support.done_once DIR`.

All tests are collected, which leaves their compiled sources, and those of ours, to all processes, unless they are there
from a run before; the engine that the program takes here is built as by `python -m engines.build --no-verify`, but the
graph it exports is left in DIR.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Final

import pytest

from tests.support.kept_graphs import graphs_kept_in, sweep

_TESTS: Final = Path(__file__).parents[1]


def main(graphs: Path) -> int:
    """The exit code; what is wrong with a test file, the tests themselves will say once more."""
    if not all(_is_compiled(file) for file in _TESTS.rglob("test_*.py")):
        with redirect_stdout(StringIO()) as said:
            code = pytest.main(["--collect-only", "-q"])
        if code != pytest.ExitCode.OK:
            print(said.getvalue())
            return int(code)
    from engines.build import main as build_main

    sweep(graphs)
    with graphs_kept_in(graphs):
        return build_main(["--no-verify"])


def _is_compiled(test: Path) -> bool:
    """Whether pytest left what it made of the file, by a Python as this one, after its last change."""
    kept = test.parent.glob(f"__pycache__/{test.stem}.{sys.implementation.cache_tag}-pytest-*.pyc")
    return any(file.stat().st_mtime >= test.stat().st_mtime for file in kept)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

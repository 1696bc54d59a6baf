"""What each test process would do anew, done once before any of them starts: `python -m tests.support.done_once DIR`.

All tests are collected, which leaves their compiled sources, and those of ours, to all processes; the engine that the
program takes here is built as by `python -m engines.build --no-verify`, but the graph it exports is left in DIR.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from tests.support.kept_graphs import graphs_kept_in


def main(graphs: Path) -> int:
    """The exit code; what is wrong with a test file, the tests themselves will say once more."""
    with redirect_stdout(StringIO()) as said:
        code = pytest.main(["--collect-only", "-q"])
    if code != pytest.ExitCode.OK:
        print(said.getvalue())
        return int(code)
    from engines.build import main as build_main

    with graphs_kept_in(graphs):
        return build_main(["--no-verify"])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

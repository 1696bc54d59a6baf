"""Builds the engine that the program takes here, before any test starts it: `python -m tests.support.first_engine DIR`.

As `python -m engines.build --no-verify`, but the graph it exports is left in DIR for the tests that build engines.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engines.build import main
from tests.support.kept_graphs import graphs_kept_in

if __name__ == "__main__":
    with graphs_kept_in(Path(sys.argv[1])):
        sys.exit(main(["--no-verify"]))

"""A virtual display for a test's subprocess, beside those of other test processes."""

from __future__ import annotations

import os
from typing import Final

_FIRST: Final = 120
"""Where xvfb-run's own search does not begin."""
_EACH: Final = 20


def xvfb_run(screen: str = "1280x1024x24") -> list[str]:
    """What to put before a command.

    `xvfb-run -a` alone may choose the number of one that starts at the same time; without `-noreset` the server starts
    anew whenever its last client leaves, and refuses who comes meanwhile.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return ["xvfb-run", "-n", str(_FIRST + _EACH * worker), "-a", "-s", f"-screen 0 {screen} -noreset"]

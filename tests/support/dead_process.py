"""What a test process of pytest-xdist died of; without this, xdist says "Not properly terminated" and no more."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Tell its return code: -9 is SIGKILL; 0 or 1 without another word means that it lost the pipe to its master."""
    if error is not None:
        try:
            code = str(node.gateway._io.popen.wait(20))
        except subprocess.TimeoutExpired:
            code = "none, it still runs"
        node.config.get_terminal_writer().line(f"\ntest process {node.gateway.id} ended; return code {code}", red=True)

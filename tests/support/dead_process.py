"""What a test process of pytest-xdist died of; without this, xdist says "Not properly terminated" and no more."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

_FOLDER = "TEST_FAULTS"
"""Environment: where each test process writes its threads' stacks when it crashes. Its standard error is the file into
which pytest's master captures, so that what Python says there is lost.
"""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Processes start with the session: the master names the folder, they inherit it."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        session.config.stash[_KEPT] = folder = tempfile.TemporaryDirectory(
            prefix="test-faults-", dir=os.environ.get("TEST_WORK")
        )
        os.environ[_FOLDER] = folder.name
    elif _FOLDER in os.environ:
        session.config.stash[_KEPT] = stacks = (Path(os.environ[_FOLDER]) / worker["workerid"]).open("w")
        faulthandler.enable(stacks)


_KEPT = pytest.StashKey[Any]()
"""The folder, or the open file in it, which have to live as long as the process."""


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Tell its return code: -9 is SIGKILL; 0 or 1 without another word means that it lost the pipe to its master."""
    if error is not None:
        try:
            code = str(node.gateway._io.popen.wait(20))
        except subprocess.TimeoutExpired:
            code = "none, it still runs"
        writer = node.config.get_terminal_writer()
        writer.line(f"\ntest process {node.gateway.id} ended; return code {code}", red=True)
        stacks = Path(os.environ[_FOLDER]) / str(node.gateway.id)
        writer.line(stacks.read_text() if stacks.exists() else "no stacks")

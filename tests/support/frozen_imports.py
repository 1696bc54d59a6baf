"""What is imported to collect the tests lives until the end, so no garbage collection need ever look through it.

A process imports torch, Open3D, SciPy and some 800 modules of ours before its first test: searching millions of objects
for garbage again and again meanwhile is half of the time that collecting takes.
"""

from __future__ import annotations

import gc

import pytest

gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """From now on there is garbage."""
    gc.freeze()
    gc.enable()

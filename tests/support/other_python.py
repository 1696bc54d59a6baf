"""Pythons with packages that cannot live beside this program's, for the tests that read its files with them."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest


def python_with(package: str) -> str:
    """This Python if it has the package, else the one that `PYTHON_WITH_PACKAGE` names; skips the test without."""
    variable = f"PYTHON_WITH_{package.upper()}"
    found = sys.executable if find_spec(package) else os.environ.get(variable)
    if found is None:
        pytest.skip(f"{package} is not installed; {variable} may name a Python that has it")
    return found


def run_with(package: str, *words: str) -> str:
    """What that Python prints when it runs with these words; nothing is asked of any server."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [python_with(package), *words], capture_output=True, text=True, timeout=250, env={**os.environ, **offline},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout

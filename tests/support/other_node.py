"""JavaScript's readers of this program's files: those that avatars, web pages and Foxglove use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "NODE_MODULES_WITH_READERS"
"""Names a folder in which `npm install PACKAGE ...` was run; docs/formats.md lists the packages."""


def run_node(script: str, packages: tuple[str, ...], *words: str) -> Any:
    """What an ES module prints as JSON, run where its packages are; skips the test without them."""
    node, folder = shutil.which("node"), os.environ.get(VARIABLE)
    if node is None or folder is None:
        pytest.skip(f"needs node, and {VARIABLE} to name a folder with {', '.join(packages)}")
    for package in packages:
        assert (Path(folder) / "node_modules" / package).is_dir(), f"npm install {package} in {folder}"
    command = [node, "--input-type=module", "-e", script, "--", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)

"""The tests themselves: a test process that dies ends the run and says of what, instead of holding it for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = "import os\nimport signal\n\n\ndef test_it():\n    {}\n\n\ndef test_next():\n    pass\n"


@pytest.mark.parametrize(
    ("signal", "told"), [("SIGKILL", "ended; return code -9\n"), ("SIGSEGV", "Fatal Python error: Segmentation fault")]
)
def test_a_dead_test_process_ends_the_run_and_is_told(signal: str, told: str, tmp_path: Path) -> None:
    for name in "abcde":
        inside = f"os.kill(os.getpid(), signal.{signal})" if name == "a" else "pass"
        (tmp_path / f"test_{name}.py").write_text(MODULE.format(inside))
    words = ["-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-p", "tests.support.dead_process"]
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *words, tmp_path]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout
    assert told in done.stdout
    assert "crashed and worker restarting disabled" in done.stdout

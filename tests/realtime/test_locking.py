"""Locks of files between processes, also where the system has none of POSIX."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from realtime.locking import OPEN, lock, read_at_start, write_at_start
from tests.support.recordings import ROOT

WITHOUT_POSIX = """
import os, sys
sys.modules["fcntl"] = None
for name in ("pread", "pwrite", "O_CLOEXEC"):
    delattr(os, name)
import run_demo
from realtime import locking
assert not locking._POSIX
"""
OTHER = "import os, sys; from realtime.locking import OPEN, lock; print(lock(os.open(sys.argv[1], OPEN)))"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_one_process_has_a_file_until_it_closes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    fd = os.open(path, OPEN | os.O_CREAT)
    assert lock(fd)
    assert python(OTHER, str(path)).stdout == "False\n"
    os.close(fd)
    assert python(OTHER, str(path)).stdout == "True\n"


def test_content_is_replaced_and_read_from_the_start(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "a", OPEN | os.O_CREAT)
    for data in (b"12345", b"67"):
        write_at_start(fd, data)
        assert read_at_start(fd, 100) == data
    os.close(fd)


def test_the_program_starts_on_a_system_without_posix_files() -> None:
    done = python(WITHOUT_POSIX)
    assert done.returncode == 0, done.stderr

"""What the tests of long runs share: stops after so many frames, the program in a process of its own, whom to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np

from realtime.tracks.schema import Tracks
from tests.support.recordings import ROOT


def never() -> bool:
    return False


def after(frames: int) -> Callable[[], bool]:
    """A stop after so many frames."""
    asked = count(1)
    return lambda: next(asked) >= frames


def same(a: Tracks, b: Tracks) -> None:
    for name in Tracks.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


_OFTEN_KEPT = """
import functools, sys, run_demo
run_demo.Work = functools.partial(run_demo.Work, checkpoint_frames=int(sys.argv.pop(1)))
sys.exit(run_demo.main(sys.argv[1:]))
"""


def command_of(*words: str | Path, checkpoint_frames: int | None = None) -> list[str]:
    """A start of the program; `checkpoint_frames`: of `Work`, if it is to be another than the program's."""
    start = ["run_demo.py"] if checkpoint_frames is None else ["-c", _OFTEN_KEPT, str(checkpoint_frames)]
    return [sys.executable, *start, *map(str, words)]


@contextmanager
def program(*words: str | Path, checkpoint_frames: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """`command_of` in a process group of its own, where Ctrl-C works as in a terminal; killed at the end."""
    command = ["env", "--default-signal=INT", *command_of(*words, checkpoint_frames=checkpoint_frames)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as it:
        try:
            yield it
        finally:
            if it.poll() is None:
                os.killpg(it.pid, signal.SIGKILL)


def wait_for(there: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 120) -> None:
    end_s = time.monotonic() + seconds
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end_s
        time.sleep(0.005)


def holder(path: Path) -> int:
    """The process that has the file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                return int(link.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nobody has {path} open")

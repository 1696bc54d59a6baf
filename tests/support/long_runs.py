"""What the tests of long runs share: stops after so many frames, the program in a process of its own, whom to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from realtime.messages import Frame
from realtime.tracks.schema import Tracks
from tests.support.recordings import ROOT
from viz.video.render import render_recording


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


_SLOWLY_RENDERED = """
import sys, run_demo
from tests.support.long_runs import slowly_rendered
run_demo.render_recording = slowly_rendered
sys.exit(run_demo.main(sys.argv[1:]))
"""


def slowly_rendered(tracks: Tracks, frames: Iterable[Frame], path: Path, **drawing: Any) -> None:
    """The program's rendering of a recording that comes at five frames a second: it lasts, and costs nothing."""
    render_recording(tracks, _slow(frames), path, **drawing)


def _slow(frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        time.sleep(0.2)


def command_of(*words: str | Path, checkpoint_frames: int | None = None, slow_video: bool = False) -> list[str]:
    """A start of the program; `checkpoint_frames`: of `Work`, if it is to be another than the program's.

    `slow_video`: with `slowly_rendered`, so that there is time to do something to it.
    """
    start = ["run_demo.py"] if checkpoint_frames is None else ["-c", _OFTEN_KEPT, str(checkpoint_frames)]
    return [sys.executable, *(["-c", _SLOWLY_RENDERED] if slow_video else start), *map(str, words)]


@contextmanager
def program(*words: str | Path, **otherwise: Any) -> Iterator[subprocess.Popen[str]]:
    """`command_of` in a process group of its own, where Ctrl-C works as in a terminal; killed at the end."""
    command = ["env", "--default-signal=INT", *command_of(*words, **otherwise)]
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
        time.sleep(0.01)


def holder(path: Path) -> int:
    """The process that has the file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                return int(link.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nobody has {path} open")

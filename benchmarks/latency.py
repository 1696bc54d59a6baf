"""From the screen to the screen: `python -m benchmarks.latency [--camera ID] [--seconds N] [-- OPTIONS]`.

A window shows a clock as a code of squares. With --camera, point that camera at it: the program shows what the camera
sees, and the code in the program's window, read off the screen, tells when it was drawn. Without a camera the clock's
own window is grabbed and served as a network camera's pictures, which measures everything but the camera and its
exposure. Needs an X display, or xvfb-run to make one. OPTIONS go to run_demo.py, such as --no-3d.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.clips import SAMPLE
from benchmarks.clock_code import WRAP_MS, age_ms, find, read
from benchmarks.screen_clock import TITLE as CLOCK
from benchmarks.screen_grab import grab
from benchmarks.whole_way import ROOT, screen_command
from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser
from viz.window.display import has_display

_PROGRAM: Final = "two hands: camera"
_CLOCK_S: Final = 2.0
"""So long the clock's own window is read first, to know what the reading itself takes."""
_GRAB_HZ: Final = 60.0
_WARM_UP_S: Final = 2.0
_LONGEST_START_S: Final = 120.0
_WAIT_S: Final = 20.0


@dataclass(frozen=True)
class Seen:
    """What was read off the screen."""

    first_ms: list[float]
    """Age of each of the clock's readings when it was first seen in the program's window."""
    pictures: int
    """Grabbed."""
    read: int
    """... in which the code could be read."""


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    own, theirs = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    parser = CommandParser("python -m benchmarks.latency", __doc__)
    parser.add_argument("--camera", metavar="ID", help="a camera that sees the clock on the screen")
    parser.add_argument("--seconds", type=float, default=15.0, metavar="N", help="how long to look (15)")
    parser.add_argument("--output", type=Path, help="write the figures as JSON, too")
    given = parser.parse_args(own)
    screen = screen_command()
    if screen is None:
        return _refused("no X display to look at, and no xvfb-run to make one")
    if not has_display():
        again = [*screen, sys.executable, "-m", "benchmarks.latency", *argv]
        return subprocess.run(again, cwd=ROOT, check=False).returncode
    try:
        figures = measure(given.camera, given.seconds, theirs)
    except UserError as error:
        return _refused(str(error))
    print("\n".join(report(figures)))
    if given.output is not None:
        given.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(camera: str | None, seconds: float, options: Sequence[str]) -> dict[str, Any]:
    """Run clock and program and look at the screen; raises UserError with what the program said."""
    with tempfile.TemporaryDirectory() as folder, _clock(serve=camera is None) as address:
        profile = Path(folder) / "profile.json"
        itself = watch(CLOCK, _CLOCK_S, lambda: True)
        words = ["--camera", camera or address, "--profile-json", str(profile), *options]
        with _program(words) as program:
            seen = watch(_PROGRAM, seconds, lambda: program.poll() is None)
            program.terminate()
            said = program.communicate(timeout=_WAIT_S)[1]
        if not profile.exists():
            raise UserError(f"run_demo.py: {said.strip().splitlines()[-1:]}")
        program_says = json.loads(profile.read_text(encoding="utf-8"))
    if not seen.first_ms:
        raise UserError("the clock cannot be read in the program's window; does the camera see it, large and sharp?")
    if not itself.first_ms:
        raise UserError("the clock cannot be read in its own window; does something lie over it?")
    p50, p95 = np.percentile(seen.first_ms, (50, 95))
    return {
        "camera": camera,
        "screen_to_screen_p50_ms": float(p50),
        "screen_to_screen_p95_ms": float(p95),
        "clock_itself_p50_ms": float(np.median(itself.first_ms)),
        "readings": len(seen.first_ms),
        "pictures_grabbed": seen.pictures,
        "pictures_read": seen.read,
        "program_says_p50_ms": program_says["age_at_display_p50_ms"],
        "program_says_p95_ms": program_says["age_at_display_p95_ms"],
        "frames_per_s": program_says["frames_per_s"],
        "shown_per_s": len(seen.first_ms) / seconds,
        "load": os.getloadavg()[0],
        "machine": program_says["machine"],
    }


def watch(title: str, seconds: float, is_running: Callable[[], bool]) -> Seen:
    """Read the code in a window for so long, from when it is first readable and all is warm."""
    first: dict[int, float] = {}
    place, begun_s, asked_s = None, None, None
    pictures = readable = 0
    for now_s, picture in grab(title, _GRAB_HZ, _LONGEST_START_S):
        asked_s = now_s if asked_s is None else asked_s
        over_s = asked_s + _WAIT_S if begun_s is None else begun_s + _WARM_UP_S + seconds
        if not is_running() or now_s > over_s:
            break
        pictures += 1
        shown_ms = None if place is None else read(picture, place)
        if shown_ms is None:
            place = find(picture)
            shown_ms = None if place is None else read(picture, place)
        if shown_ms is None:
            continue
        begun_s = now_s if begun_s is None else begun_s
        readable += 1
        if now_s >= begun_s + _WARM_UP_S:
            first.setdefault(shown_ms, age_ms(shown_ms, now_s))
    return Seen([age for age in first.values() if age < WRAP_MS / 2], pictures, readable)


def report(figures: dict[str, Any]) -> list[str]:
    """The figures in words."""
    here, itself_ms = figures["machine"], figures["clock_itself_p50_ms"]
    way = (
        "screen, camera, program, screen"
        if figures["camera"] is not None
        else "screen, grabbed and served as JPEG pictures at 30 Hz, program, screen; no camera: a real one adds its "
        "exposure and transport"
    )
    return [
        f"measured    {way}",
        f"latency     {_times(figures, 'screen_to_screen')}, {figures['readings']} readings",
        f"the clock   {itself_ms:.0f} ms p50, of its own window, read in the same way: painting and reading alone",
        f"the program {_times(figures, 'program_says')}, by its own words, from its time stamp to the end of painting",
        f"rate        {figures['frames_per_s']:.1f} frames/s tracked, {figures['shown_per_s']:.1f} seen on the screen",
        f"machine     {here['processor']}, {here['cores']} cores used, load {figures['load']:.1f}",
    ]


def _times(figures: dict[str, Any], what: str) -> str:
    return f"{figures[f'{what}_p50_ms']:.0f} ms p50, {figures[f'{what}_p95_ms']:.0f} ms p95"


@contextmanager
def _clock(serve: bool) -> Iterator[str]:
    words = [sys.executable, "-m", "benchmarks.screen_clock", str(SAMPLE), *(["--serve"] if serve else [])]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as clock:
        try:
            assert clock.stdout is not None
            address = clock.stdout.readline().strip()
            if not address:
                raise UserError("the window with the clock cannot be opened")
            yield address
        finally:
            clock.terminate()


@contextmanager
def _program(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    told = [sys.executable, "run_demo.py", *words]
    with subprocess.Popen(told, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.terminate()


def _refused(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

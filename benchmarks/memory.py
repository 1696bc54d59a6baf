"""What holds the program's memory: `python -m benchmarks.memory [--windows] [-- WORDS for run_demo.py]`.

Runs the program on the sample clip in real time, as a camera gives it, and reads the kernel's account of each of its
processes twice a second (Linux, `/proc/PID/smaps`); the largest one is shown. Resident pages (RSS) are what
`benchmarks.system` counts; pages of libraries that several processes have mapped count once for each in RSS, by their
share in PSS and not at all in USS.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from argparse import REMAINDER
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.clips import SAMPLE
from benchmarks.whole_way import ROOT, screen_command
from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser

EVERY_S: Final = 0.5
_LEAST_MB: Final = 1.0
"""Smaller kinds are summed up."""
_HEADER: Final = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \S+\s*(.*)$")
_FIELDS: Final = ("Rss", "Pss", "Private_Clean", "Private_Dirty")


@dataclass(frozen=True)
class Held:
    """Megabytes (10^6 bytes)."""

    rss: float = 0.0
    pss: float = 0.0
    uss: float = 0.0

    def __add__(self, other: Held) -> Held:
        return Held(self.rss + other.rss, self.pss + other.pss, self.uss + other.uss)


def held_by_kind(smaps: Iterable[str]) -> dict[str, Held]:
    """The kernel's account of a process, by what is mapped: a package's libraries, heap, other memory."""
    found: dict[str, Held] = {}
    for kind, fields in _mappings(smaps):
        kb = [1.024e-3 * fields[name] for name in _FIELDS]
        found[kind] = found.get(kind, Held()) + Held(kb[0], kb[1], kb[2] + kb[3])
    return found


def _mappings(smaps: Iterable[str]) -> Iterator[tuple[str, Counter[str]]]:
    kind, fields = "", Counter[str]()
    for line in smaps:
        header = _HEADER.match(line)
        if header is None:
            name, _, value = line.partition(":")
            if name in _FIELDS:
                fields[name] += int(value.split()[0])
            continue
        if kind:
            yield kind, fields
        kind, fields = kind_of(header[1], header[2].strip()), Counter()
    if kind:
        yield kind, fields


def kind_of(permissions: str, name: str) -> str:
    """What a mapping is, by its name."""
    if not name or name.startswith("[anon"):
        return "code made at run time" if "x" in permissions else "memory asked for in blocks, threads' heaps"
    if name == "[heap]":
        return "the main heap"
    package = re.search(r"site-packages/([^/]+)/", name)
    if package:
        return f"libraries of {package[1].removesuffix('.libs')}"
    return "libraries of the system" if ".so" in name else "other"


def table(found: dict[str, Held]) -> str:
    """A line for each kind, the largest first."""
    large = {kind: held for kind, held in found.items() if held.rss >= _LEAST_MB}
    rest = sum((held for kind, held in found.items() if kind not in large), Held())
    ordered = sorted(large.items(), key=lambda item: -item[1].rss)
    rows = [*ordered, ("the rest", rest), ("all", sum(found.values(), Held()))]
    lines = [f"{'MB':45}{'RSS':>8}{'PSS':>8}{'USS':>8}"]
    return "\n".join([*lines, *(f"{kind:45}{held.rss:8.1f}{held.pss:8.1f}{held.uss:8.1f}" for kind, held in rows)])


def measure(words: list[str]) -> dict[str, dict[str, Held]]:
    """Run the program with `words`; what each of its processes held when all held most. UserError if it fails."""
    most: dict[str, dict[str, Held]] = {}
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as started:
        while started.poll() is None:
            time.sleep(EVERY_S)
            with suppress(psutil.Error, OSError):  # one of them has just ended
                now = {_name_of(process): _account(process) for process in _program(started.pid)}
                most = max(most, now, key=lambda found: together(found).rss)
        said = started.stderr.read().strip().splitlines() if started.stderr else []
    if started.returncode:
        raise UserError(f"the program ended with {started.returncode} ({said[-1] if said else 'without a word'})")
    if not most:
        raise UserError("nothing could be read of the program's memory: it ended at once, or this is not Linux")
    return most


def together(found: dict[str, dict[str, Held]]) -> Held:
    """All kinds of all processes."""
    return sum((held for kinds in found.values() for held in kinds.values()), Held())


def _program(pid: int) -> list[psutil.Process]:
    """The program and what it started; not what makes a display for it."""
    whole = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return [process for process in whole if Path(process.exe()).name.startswith("python")]


def _name_of(process: psutil.Process) -> str:
    return "the 3D window" if "viz.window.beside_process" in process.cmdline() else "the program"


def _account(process: psutil.Process) -> dict[str, Held]:
    return held_by_kind(Path(f"/proc/{process.pid}/smaps").read_text(encoding="utf-8").splitlines())


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.memory", __doc__)
    parser.add_argument("--windows", action="store_true", help="with both windows, on $DISPLAY or by xvfb-run")
    parser.add_argument("words", nargs=REMAINDER, help="-- and what else run_demo.py is to be given")
    given = parser.parse_args(argv)
    screen = screen_command() if given.windows else ()
    if screen is None:
        print("error: there is no display, and no xvfb-run to make one", file=sys.stderr)
        return 2
    words = [*screen, sys.executable, "run_demo.py", "--video", str(SAMPLE), "--realtime"]
    words += [] if given.windows else ["--headless"]
    try:
        found = measure([*words, *(word for word in given.words if word != "--")])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, kinds in found.items():
        print(f"{name}\n{table(kinds)}\n")
    whole = together(found)
    print(
        f"together: {whole.rss:.0f} MB resident (RSS), {whole.pss:.0f} by shares (PSS), {whole.uss:.0f} its own (USS)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

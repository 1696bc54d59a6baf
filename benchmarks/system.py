"""The whole way from a picture to hands on the screen: `python -m benchmarks.system [--quick | --full]`.

Runs the program itself on the sample clip, a process for each row: with and without windows, one and two hands, three
sizes, every backend that runs here, and in real time; then next to MediaPipe Hands on the same frames in one process.
Prints Markdown, at its end which goals are met and what bounds each figure, and writes it with a JSON beside it.
Windows need a display, or xvfb-run to make one.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, Final

from benchmarks.clips import SIZES_PX, clip_of
from benchmarks.goals import COLUMNS, judged, summary
from benchmarks.side_by_side import Rate, compare
from benchmarks.whole_way import Case, Outcome, run_case
from engines.backends.gpu import nvidia_gpu
from engines.errors import UserError
from engines.installed import is_installed
from engines.terminal import command
from realtime.command import CommandParser
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.reports.machine import machine
from realtime.reports.versions import versions

QUICK_FRAMES: Final = 100
_COLUMNS: Final = (
    *("size", "hands", "view", "pace", "backend", "frames/s", "p95 ms to result", "p95 ms to display"),
    *("MB", "CPU ms/frame", "dropped", "first frame s", "slowest stages, ms a frame"),
)
_RATE_COLUMNS: Final = (
    *("size", "hands", "what", "frames/s", "CPU ms/frame", "hands found a frame", "this program is faster by"),
)
_ON_GPU: Final = ("tensorrt", "tensorrt_rtx")


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.system", __doc__)
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--quick", action="store_true", help=f"480p only, {QUICK_FRAMES} frames, one turn")
    how_much.add_argument("--full", action="store_true", help="every combination")
    parser.add_argument("--output", type=Path, default=Path("out/system"), help="writes OUTPUT.md and OUTPUT.json")
    given = parser.parse_args(argv)
    most_frames = QUICK_FRAMES if given.quick else None
    try:
        with tempfile.TemporaryDirectory() as name:
            clips = {size: clip_of(size, Path(name), most_frames) for size in (["480p"] if given.quick else SIZES_PX)}
            outcomes = list(measured(cases(given.quick, given.full, backends()), clips, Path(name)))
            rates = list(side_by_side(clips, first_turns=1 if given.quick else 3))
    except (UserError, RuntimeError) as error:
        _tell(f"error: {error}")
        return 2
    about = {"machine": machine(), "versions": versions(), "load": os.getloadavg()[0]}
    goals = judged(outcomes, rates, backends()[0])
    text = "\n".join(
        [
            *_about_lines(about), "", *_outcome_lines(outcomes), "", *_rate_lines(rates), "",
            *_table(COLUMNS, [one.cells() for one in goals]), "", summary(goals),
        ]
    )  # fmt: skip
    print(text)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    content = {**about, "runs": [asdict(one) for one in outcomes], "side_by_side": [asdict(rate) for rate in rates]}
    content["goals"] = [asdict(one) for one in goals]
    given.output.with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def backends() -> list[str]:
    """Names of those that run here, the one that `auto` takes first."""
    on_gpu = [name for name in _ON_GPU if is_installed(name)] if nvidia_gpu() else []
    return [*on_gpu, *(["openvino"] if is_installed("openvino") else []), "torch"]


def cases(quick: bool, full: bool, names: list[str]) -> list[Case]:
    """What to run: everything, or all of each kind while the others are as in the first row."""
    best, others = names[0], names[1:]
    if full:
        every = product(SIZES_PX, (2, 1), (False, True), names)
        chosen = [Case(size, hands, window, name) for size, hands, window, name in every]
    else:
        sizes = ["480p"] if quick else list(SIZES_PX)
        chosen = [Case(size, 2, window, best) for size in sizes for window in (False, True)]
        chosen += [Case("480p", 1, window, best) for window in ((False,) if quick else (False, True))]
        chosen += [Case("480p", 2, False, name) for name in others]
    return chosen + [Case("480p", 2, window, best, replay=True) for window in (False, True)]


def measured(todo: Iterable[Case], clips: dict[str, Path], folder: Path) -> Iterator[Outcome]:
    """Run the cases one after the other; the first of each backend builds its engine in a run that is not counted."""
    warm: set[str] = set()
    for case in todo:
        if case.backend not in warm:
            run_case(Case("480p", backend=case.backend), clips["480p"], folder, seconds=0.2)
            warm.add(case.backend)
        _tell(case.name)
        yield run_case(case, clips[case.size], folder)


def side_by_side(clips: dict[str, Path], first_turns: int) -> Iterator[Rate]:
    """Next to MediaPipe: two hands at every size, `first_turns` turns at the first; one hand at the first."""
    settings = load_settings()
    backend = backend_of(settings)
    first = next(iter(clips))
    for size, hands in [*product(clips, (2,)), (first, 1)]:
        _tell(f"side by side with MediaPipe, {size}, {hands}")
        turns = first_turns if (size, hands) == (first, 2) else min(2, first_turns)
        yield from compare(clips[size], size, hands, settings, backend, turns)


def _about_lines(about: dict[str, Any]) -> list[str]:
    here, load = about["machine"], about["load"]
    first = (
        f"{here['processor']}, {here['cores']} cores used, {here['memory_gb']} GB, {here['system']}, load {load:.1f}"
    )
    return [first, ", ".join(f"{name} {number}" for name, number in about["versions"].items())]


def _outcome_lines(outcomes: list[Outcome]) -> list[str]:
    return _table(_COLUMNS, [_cells(one) for one in outcomes])


def _cells(one: Outcome) -> list[str]:
    case = one.case
    view, pace = "windows" if case.window else "none", "30 Hz" if case.replay else "full"
    begin = [case.size, str(case.hands), view, pace, case.backend]
    if one.skipped:
        return [*begin, f"skipped: {one.skipped}", *[""] * (len(_COLUMNS) - len(begin) - 1)]
    times = [f"{value:.1f}" for value in (one.frames_per_s, one.latency_p95_ms, one.age_p95_ms)]
    taken = [f"{one.memory_peak_mb:.0f}", f"{one.cpu_ms_per_frame:.1f}", str(one.dropped)]
    return [*begin, *times, *taken, f"{one.first_frame_s:.1f}", one.slowest()]


def _rate_lines(rates: list[Rate]) -> list[str]:
    return _table(_RATE_COLUMNS, [_rate_cells(rate) for rate in rates])


def _rate_cells(rate: Rate) -> list[str]:
    times = [f"{rate.frames_per_s:.1f}", f"{rate.cpu_ms_per_frame:.1f}", f"{rate.found:.2f}"]
    return [rate.size, str(rate.hands), rate.name, *times, f"{rate.ratio:.2f}x" if rate.ratio != 1 else ""]


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [list(columns), ["---"] * len(columns), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

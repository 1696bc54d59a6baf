"""What a person sees of a run over many recordings: progress with the time left, and the table (main thread)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from tqdm import tqdm
from typing_extensions import Self

from realtime.batch_job import Job, Outcome, Work
from realtime.recording import announced_frames
from realtime.tracks import RECORD

_HEAD_BYTES: Final = 4096
"""About the head of a part file; it is a matter of two or three frames in the bar."""
_WIDEST_NAME: Final = 48


class Progress:
    """`with Progress(...) as progress:`; counts frames by the sizes of the part files, whoever writes them."""

    def __init__(self, jobs: Sequence[Job], work: Work, before: Sequence[int]) -> None:
        self._parts = {job.output: job.part(work.smooth) for job in jobs}
        self._announced = {job.output: announced_frames(job.source) for job in jobs}
        known = all(self._announced.values())
        self._done = sum(before)
        # The bar goes to a terminal only; a log gets a line for each recording.
        self._bar = tqdm(
            total=sum(count or 0 for count in self._announced.values()) if known else None,
            unit=" frames",
            unit_scale=False,
            disable=None,
            dynamic_ncols=True,
            smoothing=0.1,
            file=sys.stderr,
        )

    def __enter__(self) -> Self:
        """Begin where an earlier run had been."""
        self._bar.initial = self._bar.n = self._done + self._under_way()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.close()

    def update(self) -> None:
        """Look how far all are."""
        self._bar.n = max(self._done + self._under_way(), self._bar.n)
        self._bar.refresh()

    def finished(self, outcome: Outcome) -> None:
        """Count a recording as finished, and say so."""
        self._parts.pop(outcome.job.output, None)
        self._done += outcome.frames
        result = outcome.message if outcome.status in ("failed", "damaged") else outcome.status
        lines = [f"{outcome.job.source.name}: {result}" if outcome.message else f"{outcome.job.source}: {result}"]
        if outcome.message.startswith(str(outcome.job.source)):
            lines = [outcome.message]
        lines += [f"  {note}" for note in outcome.notes]
        for line in lines:
            tqdm.write(line, file=sys.stderr)
        self.update()

    def _under_way(self) -> int:
        return sum(_frames_in(part) for part in self._parts.values())


def _frames_in(part: Path) -> int:
    try:
        return max(part.stat().st_size - _HEAD_BYTES, 0) // RECORD.itemsize
    except OSError:
        return 0


def table(outcomes: Sequence[Outcome], not_done: int, folder: Path) -> str:
    """The summary at the end: a line for each recording, and what they are together."""
    rows: list[tuple[str, ...]] = [("recording", "frames", "right", "left", "both", "bad", "length", "rate", "result")]
    rows += [_row(outcome) for outcome in sorted(outcomes, key=lambda one: str(one.job.output))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(_aligned(i, cell, width) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    frames = sum(outcome.frames for outcome in outcomes)
    good = sum(outcome.status == "done" for outcome in outcomes)
    rest = f", {not_done} not begun" if not_done else ""
    lines.append(f"{good} of {len(outcomes) + not_done} recordings whole, {frames} frames{rest}; written to {folder}")
    return "\n".join(line.rstrip() for line in lines)


def _row(outcome: Outcome) -> tuple[str, ...]:
    source = outcome.job.source
    name = min(str(source), os.path.relpath(source), key=len)
    name = name if len(name) <= _WIDEST_NAME else "..." + name[3 - _WIDEST_NAME :]
    counts = [str(n) for n in (outcome.frames, outcome.right, outcome.left, outcome.both)]
    rate = f"{outcome.tracked_frames / outcome.track_s:.0f}/s" if outcome.track_s and outcome.tracked_frames else ""
    length = time.strftime("%H:%M:%S", time.gmtime(outcome.span_s)) if outcome.frames else ""
    result: str = outcome.status if outcome.work_s or outcome.status != "done" else "done before"
    if outcome.status in ("failed", "damaged"):
        result = f"{outcome.status}: {outcome.message.removeprefix(f'{outcome.job.source}: ')}"
    return (name, *counts, str(outcome.damaged or ""), length, rate, result)


def _aligned(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column in (0, 8) else cell.rjust(width)

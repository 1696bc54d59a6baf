"""What a person sees of many recordings: frames, rate and time left on the way, a table at the end (main thread).

Nothing is asked of the workers, wherever they run, and no recording is opened: the sizes of the part files tell how far
each is, its lock file how many frames it has.
"""

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

from realtime.batch.job import Job, Outcome, Work
from realtime.batch.lock import number_in
from realtime.sources.image_folder import PICTURE_SUFFIXES
from realtime.tracks.schema import RECORD

_WIDEST_NAME: Final = 48
_HEAD_BYTES: Final = 4096
"""About the head of a part file; it is a matter of two or three frames in the bar."""


class ExpectedFrames:
    """How many frames all recordings have: those of the known ones, and as many a byte of the others."""

    def __init__(self, sources: Sequence[Path]) -> None:
        self._known: dict[Path, int] = {}
        self._bytes: dict[Path, int] = {}
        for source in sources:
            if source.is_dir():
                self._known[source] = _pictures(source)
            else:
                self._bytes[source] = _size(source)

    def knows(self, source: Path) -> bool:
        """Whether this recording's frames are known."""
        return source in self._known

    def learn(self, source: Path, frames: int) -> None:
        """So many it has; 0 for one that cannot be read. What is learnt later is nearer to the truth."""
        self._known[source] = frames

    def total(self) -> int | None:
        """Of all recordings; None while nothing can be said of one of them."""
        known = sum(self._known.values())
        open_bytes = sum(size for source, size in self._bytes.items() if source not in self._known)
        if not open_bytes:
            return known
        like = [source for source in self._bytes if self._known.get(source)]
        like_bytes = sum(self._bytes[source] for source in like)
        if not like_bytes:
            return None
        return known + round(open_bytes * sum(self._known[source] for source in like) / like_bytes)


class Progress:
    """`with Progress(...) as progress:`; `before` is what earlier runs finished."""

    def __init__(self, jobs: Sequence[Job], work: Work, before: Sequence[Outcome]) -> None:
        finished = {outcome.job.output for outcome in before}
        self._open = {job.output: (job, job.part(work.smooth)) for job in jobs if job.output not in finished}
        self._expected = ExpectedFrames([job.source for job in jobs])
        for outcome in before:
            self._expected.learn(outcome.job.source, outcome.counts.frames)
        self._done = sum(outcome.counts.frames for outcome in before)
        # The bar goes to a terminal only; a log gets a line for each recording.
        self._bar = tqdm(
            total=self._expected.total(),
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
        self._bar.total = self._expected.total()
        self._bar.refresh()

    def finished(self, outcome: Outcome) -> None:
        """Count a recording as finished, and say so."""
        self._open.pop(outcome.job.output, None)
        if outcome.status != "stopped":
            self._expected.learn(outcome.job.source, outcome.counts.frames)
        self._done += outcome.counts.frames
        result = outcome.message if outcome.status in ("failed", "damaged") else outcome.status
        lines = [f"{outcome.job.source.name}: {result}" if outcome.message else f"{outcome.job.source}: {result}"]
        if outcome.message.startswith(str(outcome.job.source)):
            lines = [outcome.message]
        lines += [f"  {note}" for note in outcome.notes]
        for line in lines:
            tqdm.write(line, file=sys.stderr)
        self.update()

    def _under_way(self) -> int:
        return sum(self._frames_in(job, part) for job, part in self._open.values())

    def _frames_in(self, job: Job, part: Path) -> int:
        frames = max(_size(part) - _HEAD_BYTES, 0) // RECORD.itemsize
        if frames and not self._expected.knows(job.source):
            announced = number_in(job.lock)
            if announced is not None:
                self._expected.learn(job.source, announced)
        return frames


def _size(path: Path) -> int:
    """Bytes of the file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _pictures(folder: Path) -> int:
    try:
        return sum(path.suffix.lower() in PICTURE_SUFFIXES for path in folder.iterdir())
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
    frames = sum(outcome.counts.frames for outcome in outcomes)
    good = sum(outcome.status == "done" for outcome in outcomes)
    rest = f", {not_done} not begun" if not_done else ""
    lines.append(f"{good} of {len(outcomes) + not_done} recordings whole, {frames} frames{rest}; written to {folder}")
    return "\n".join(line.rstrip() for line in lines)


def _row(outcome: Outcome) -> tuple[str, ...]:
    source = outcome.job.source
    name = min(str(source), os.path.relpath(source), key=len)
    name = name if len(name) <= _WIDEST_NAME else "..." + name[3 - _WIDEST_NAME :]
    of = outcome.counts
    counts = [str(n) for n in (of.frames, of.right, of.left, of.both)]
    rate = f"{outcome.tracked_frames / outcome.track_s:.0f}/s" if outcome.track_s and outcome.tracked_frames else ""
    length = time.strftime("%H:%M:%S", time.gmtime(of.span_s)) if of.frames else ""
    result: str = outcome.status if outcome.work_s or outcome.status != "done" else "done before"
    if outcome.status in ("failed", "damaged"):
        result = f"{outcome.status}: {outcome.message.removeprefix(f'{outcome.job.source}: ')}"
    return (name, *counts, str(outcome.damaged or ""), length, rate, result)


def _aligned(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column in (0, 8) else cell.rjust(width)

"""The table at the end of a run over many recordings (any thread)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from realtime.batch.job import Outcome

_WIDEST_NAME: Final = 48


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

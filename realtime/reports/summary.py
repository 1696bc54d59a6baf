"""What a run says of itself at its end, on the terminal and as JSON (a sink of every result)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engines.errors import UserError
from engines.files import write_json
from realtime.live import Result
from realtime.reports.meter import RunMeter
from realtime.sinks import Sink
from realtime.tracks.schema import PART_SUFFIX


class RunSummary(Sink):
    """Counts every result; tells at the end how it went, so close it last, when the files of the others are complete.

    `profile` prints the table of stages, too, and `profile_json` is where the figures are written. `files` are all that
    the run writes; those that came out whole are named, and not what an earlier run left.
    """

    def __init__(self, meter: RunMeter, profile: bool, profile_json: Path | None, files: Sequence[Path | None]) -> None:
        self._meter = meter
        self._profile = profile
        self._profile_json = profile_json
        self._before = {path: _stamp(path) for path in files if path is not None}
        self._closed = False

    def take(self, result: Result) -> None:
        """Count it."""
        self._meter.add(result)

    def close(self) -> None:
        """Tell, if there were frames; raises UserError, after that, if the JSON cannot be written."""
        if self._closed or not self._meter.frames:
            return
        self._closed = True
        try:
            if self._profile_json is not None:
                save_figures(self._meter, self._profile_json)
        finally:
            if self._profile:
                print(profile_table(self._meter))
            files = [path for path, before in self._before.items() if _complete(path) and _stamp(path) != before]
            print("\n".join(summary_lines(self._meter, files)), flush=True)


def summary_lines(meter: RunMeter, files: Sequence[Path]) -> list[str]:
    """The short summary for the terminal."""
    facts = meter.figures()
    frames = facts["frames"]
    lost = "dropped" if facts["live"] else "damaged"
    dropped = f", {facts['frames_dropped']} {lost}" if facts["frames_dropped"] else ""
    lines = [f"frames      {frames}{dropped}"]
    if frames and frames == facts["frames_without_hands"]:
        lines.append("hands       none in any frame; is one in view, lit, and a tenth of the picture or larger?")
    elif frames:
        right, left, both = (facts[f"frames_with_{which}"] for which in ("right_hand", "left_hand", "both_hands"))
        lines.append(f"hands       right in {right}, left in {left}, both in {both} frames")
    if facts["frames_per_s"] is not None:
        lines.append(f"rate        {facts['frames_per_s']:.1f} frames a second, end to end")
    if facts["latency_p50_ms"] is not None:
        p50, p95 = facts["latency_p50_ms"], facts["latency_p95_ms"]
        lines.append(f"latency     {p50:.1f} ms p50, {p95:.1f} ms p95, capture to result")
    return lines + [f"{'written' if i == 0 else '':11} {path}" for i, path in enumerate(files)]


def profile_table(meter: RunMeter) -> str:
    """The stages, what was dropped and why, processor and memory."""
    usage = meter.usage()
    causes = ", ".join(f"{count} {cause}" for cause, count in meter.drops_after_warmup().items())
    lines = [meter.timing().table(), f"dropped     {causes}", *(usage.lines() if usage is not None else [])]
    return "\n".join(lines)


def save_figures(meter: RunMeter, path: Path) -> None:
    """Write the figures as JSON; raises UserError if the file cannot be written."""
    try:
        write_json(path, meter.figures(), indent=2, default=_plain)
    except OSError as error:
        raise UserError(f"{path}: the profile cannot be written ({error.strerror})") from error


def _complete(path: Path) -> bool:
    """Whether all of it is there: a full disk leaves the part of a track file."""
    return path.exists() and not path.with_name(path.name + PART_SUFFIX).exists()


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Which file lies there, if any: it is another one when it was written anew."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns

"""The program under load for an hour: `make soak`, or `python -m benchmarks.soak [--minutes N] [--headless]`.

One process plays the sample clip again and again as fast as it goes, in turns as a recording and live with its threads
and a WebSocket stream, and writes a track file each time; the windows stay open. A line a minute; at the end it says
whether memory grew, the rate fell, or threads, files or windows were left over. Exit code 1 if so. Where other
programs take more than a tenth of the machine, the program's own processor time is the measure, and that is said.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from benchmarks.clips import SAMPLE
from benchmarks.soak_judgement import Minute, how_judged, others_share, problems, resident_mb, spent
from engines import heap
from engines.errors import UserError
from engines.terminal import command
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.command import CommandParser
from realtime.config import Settings
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.pipeline import HandPipeline
from realtime.sinks import Each, Sink, Sinks, flow
from realtime.sources.live_source import ReplaySource
from realtime.sources.opening import Source
from realtime.sources.recording import VideoSource
from realtime.streams.address import Address
from realtime.streams.sending import open_streams
from realtime.tracks.reader import load_tracks
from realtime.tracks.writer import TrackWriter
from realtime.x_windows import open_windows as windows_on_screen
from viz.viewer import Display
from viz.views import open_windows
from viz.window.display import has_display

WARM_UP_TURNS: Final = 8
"""Of either kind, before the first minute: so long memory grows with every new thread's own heap, then no more."""
REPLAY_SPEED: Final = 20.0
"""Times real time in the live turns: faster than any machine tracks, so frames are dropped all the time."""


class Soak:
    """The process under load; main thread only."""

    def __init__(self, settings: Settings, windows: Sequence[Sink], folder: Path) -> None:
        heap.begin_small()
        self._pipeline = HandPipeline(
            settings, backend_of(settings, _tell, sparing=True), partial(resolve_intrinsics, settings.intrinsics)
        )
        heap.all_is_open()
        self._settings = settings
        self._windows = windows
        self._folder = folder
        self._process = psutil.Process()

    def minute(self, seconds: float = 60.0) -> Minute:
        """Play turns for so long; raises RuntimeError if a track file is not what was tracked."""
        begin_s, begin, frames = time.monotonic(), spent(), 0
        recorded_s = recorded_cpu_s = 0.0
        while time.monotonic() - begin_s < seconds:
            turn_s, turn_cpu_s = time.monotonic(), self._cpu_s()
            frames += self._recorded_turn()
            recorded_s += time.monotonic() - turn_s
            recorded_cpu_s += self._cpu_s() - turn_cpu_s
            self._live_turn()
        # threads of the system, so that those of OpenVINO, FFmpeg and MediaPipe count, too
        count = self._process.num_threads(), self._process.num_fds()
        rates = frames / recorded_s, frames / recorded_cpu_s, others_share(begin, spent())
        return Minute(*rates, resident_mb(), *count, windows_on_screen())

    def warm_up(self) -> float:
        """Play some turns; MB of memory then."""
        for _ in range(WARM_UP_TURNS):
            self._recorded_turn()
            self._live_turn()
        return resident_mb()

    def close(self) -> None:
        """Free the detector."""
        self._pipeline.close()

    def _recorded_turn(self) -> int:
        return self._turn(VideoSource(SAMPLE), None)

    def _live_turn(self) -> int:
        streams = open_streams(None, Address("127.0.0.1", 0), (), lambda _: None)
        return self._turn(ReplaySource(SAMPLE, REPLAY_SPEED), streams)

    def _turn(self, source: Source, streams: Sink | None) -> int:
        self._pipeline.forget()  # a recording's time begins at 0 again: nothing would be searched until the last turn's
        with Sinks() as sinks, source:
            sinks.every(streams)
            intrinsics = resolve_intrinsics(self._settings.intrinsics, source.size_px)
            tracks = TrackWriter(self._folder / "soak.npz", intrinsics, source.size_px, "{}", "{}")
            sinks.every(tracks)
            for window in self._windows:  # they stay open from turn to turn
                sinks.newest(Each(window.take))
            flow(source, self._pipeline, sinks, lambda: not all([window.is_running() for window in self._windows]))
        self._check(tracks.frames)
        return tracks.frames

    def _check(self, frames: int) -> None:
        written = len(load_tracks(self._folder / "soak.npz"))
        if written != frames:
            raise RuntimeError(f"{frames} frames were tracked, the track file holds {written}")

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code: 1 for a leak or a drop, 2 where it cannot run."""
    parser = CommandParser("python -m benchmarks.soak", __doc__)
    parser.add_argument("--minutes", type=int, default=60, metavar="N", help="how long (60; 3 at least)")
    parser.add_argument("--headless", action="store_true", help="no windows, also where there is a display")
    given = parser.parse_args(argv)
    try:
        return _soak(given.minutes, given.headless or not has_display())
    except (UserError, RuntimeError) as error:
        _tell(f"error: {error}")
        return 2


def _soak(count: int, headless: bool) -> int:
    _tell(f"{count} minutes, {'without windows: no display' if headless else 'with both windows'}")
    with tempfile.TemporaryDirectory() as folder:
        windows = [] if headless else list(open_windows(Display(), three_d=True, live=False, say=_tell))
        soak = Soak(load_settings(), windows, Path(folder))
        print(f"warm-up     {soak.warm_up():.0f} MB after {WARM_UP_TURNS} turns of either kind", flush=True)
        minutes = []
        for number in range(1, count + 1):
            minutes.append(soak.minute())
            print(minutes[-1].line(number), flush=True)
        soak.close()
        for window in windows:
            window.close()
    found = problems(minutes)
    print(how_judged(minutes) or "no rate to judge", flush=True)
    left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    left_over = [name for name in left if name in ("capture", "inference", "streams")]
    found += [f"threads left at the end: {', '.join(left_over)}"] if left_over else []
    print("\n".join(f"FAILED: {line}" for line in found) or f"held for {count} minutes", flush=True)
    return 1 if found else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

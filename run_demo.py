"""Two hands, in millimetres, from one ordinary camera, live.

Finds both hands in a camera, a video or a folder of pictures and shows them in 3D. At the end it says how it went.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import signal
import sys
import time
import traceback
from contextlib import ExitStack
from functools import partial
from itertools import takewhile
from pathlib import Path

try:
    from engines.errors import UserError
    from engines.presets import weights_of
    from engines.terminal import command
    from realtime.batch.job import Work
    from realtime.batch.limits import sensible_workers
    from realtime.batch.plan import expand, plan
    from realtime.batch.run import run_batch
    from realtime.camera_space.hand_size import HandProfile, measure_hand
    from realtime.camera_space.intrinsics import resolve_intrinsics
    from realtime.cli.options import parse, settings_of
    from realtime.cli.scale_options import CALIBRATION_S, keep_length
    from realtime.cli.stopping import SIGNALS, StopSignals, leave
    from realtime.config import Settings
    from realtime.engine import backend_of
    from realtime.files import check_output
    from realtime.formats.saving import SUFFIXES, require, save_as
    from realtime.live import Result, run_live, run_recorded
    from realtime.pipeline import HandPipeline
    from realtime.reports.summary import RunSummary
    from realtime.reports.tracing import Trace
    from realtime.reports.versions import versions
    from realtime.sources.opening import Source, open_source
    from realtime.streams.sending import Streams, open_streams
    from realtime.tracks.schema import PART_SUFFIX
    from realtime.tracks.writer import TrackWriter
    from viz.video.render import render_recording
    from viz.viewer import Viewer
    from viz.views import ViewRequest, open_views
    from viz.window.display import has_display, require_display
except ModuleNotFoundError as missing:
    sys.stderr.write(f"error: {missing.name} is not installed in this Python: run make setup, then .venv/bin/python\n")
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)

ROOT = Path(__file__).parent
SAMPLE = ROOT / "samples" / "two_hands.mp4"
DEMO_OUTPUT = ROOT / "out" / "demo"


def _with_demo(options: argparse.Namespace) -> argparse.Namespace:
    """With a display the sample clip plays in windows; without one it goes into files."""
    options.video = SAMPLE
    options.headless = options.headless or not has_display()
    options.realtime = options.realtime or not options.headless
    if options.headless:
        options.save_tracks = options.save_tracks or DEMO_OUTPUT / "tracks.npz"
        options.save_video = options.save_video or DEMO_OUTPUT / "overlay.mp4"
    return options


def check(options: argparse.Namespace, settings: Settings) -> None:
    """Refuse what cannot end well before anything slow is done, and before any file is touched."""
    if not options.headless and options.calibrate_hand is None:
        require_display("the windows")
    weights = weights_of(settings.engine.preset, Path(settings.engine.weights) if settings.engine.weights else None)
    calibration = Path(settings.intrinsics.file) if settings.intrinsics.file else None
    inputs = [path for path in (options.video, options.config, weights, calibration) if path is not None]
    json_only = (".json",)
    outputs = (
        *(("--save-tracks", SUFFIXES), ("--save-video", (".mp4",))),
        *(("--profile-json", json_only), ("--trace", json_only)),
    )
    if options.profile_file is not None and (options.hand_length_mm or options.calibrate_hand):
        check_output("--profile-file", options.profile_file, (".yaml", ".yml"), inputs)
    for option, suffixes in outputs:
        path = getattr(options, option.removeprefix("--").replace("-", "_"))
        if path is not None:
            check_output(option, path, suffixes, inputs)
            inputs.append(path)
    if options.save_tracks is not None:
        require(options.save_tracks.suffix)


def run_many(options: argparse.Namespace) -> int:
    """Track many recordings into a folder."""
    if options.hand_length_mm is not None:
        _tell_profile(keep_length(options, HandProfile(options.hand_length_mm)))
    jobs = plan(expand(options.video or options.images), options.out, options.resume)
    suffixes = tuple(f".{name}" for name in dict.fromkeys(options.format) if name != "npz")
    drawing = {"three_d": not options.no_3d, "mirror": options.mirror}
    work = Work(
        settings_of(options),
        images_fps=options.fps,
        smooth=options.offline_smoothing,
        suffixes=suffixes,
        render=None if options.save_video is None else partial(render_recording, **drawing),
        drawn_with=json.dumps(drawing),
    )
    with StopSignals() as stop:
        stop.defer()
        workers = options.workers or sensible_workers()
        return run_batch(jobs, work, workers, lambda: stop.requested, say, options.ray)


def say(line: str) -> None:
    """A note to the user, apart from the program's output."""
    print(line, file=sys.stderr, flush=True)


def run(options: argparse.Namespace) -> int:
    """Assemble everything, run to the end, tell how it went; also after an error, if there were frames."""
    settings = settings_of(options)
    check(options, settings)
    if options.hand_length_mm is not None:
        _tell_profile(keep_length(options, HandProfile(options.hand_length_mm)))
    source = open_source(
        settings.camera,
        camera=options.camera,
        video=options.video,
        images=options.images,
        images_fps=options.fps,
        realtime=options.realtime,
    )
    trace = Trace() if options.trace else None
    summary = RunSummary(source, settings.timing.warmup_frames, trace)
    with StopSignals() as stop, ExitStack() as at_end:
        at_end.callback(_tell, summary, trace, options)  # last of all: then the files are complete
        at_end.callback(source.close)
        streams = open_streams(options.osc, options.websocket, options.websocket_origin, say)
        if streams is not None:
            at_end.callback(streams.close)
            summary.count_drops("late for the streams", lambda: streams.dropped)
        intrinsics_of = partial(resolve_intrinsics, settings.intrinsics)
        intrinsics = intrinsics_of(source.size_px)
        pipeline = HandPipeline(settings, backend_of(settings, say), intrinsics_of, trace.slice if trace else None)
        at_end.callback(pipeline.close)
        if options.calibrate_hand is not None:
            return _calibrate_hand(at_end.enter_context(source), pipeline, options)
        tracks = None
        if options.save_tracks:
            texts = settings.model_dump_json(), json.dumps(versions())
            tracks = at_end.enter_context(
                TrackWriter(options.save_tracks, intrinsics, source.size_px, *texts, save=save_as)
            )
        request = ViewRequest(options.headless, not options.no_3d, options.mirror, options.save_video, source.is_live)
        views = open_views(request, say)
        at_end.callback(views.close)
        at_end.enter_context(source)
        stop.defer()
        _track(source, pipeline, views, tracks, streams, summary, stop, options.seconds)
    if not summary.frames:
        print("no frames")
    return 130 if stop.requested and not source.is_live else 0


def _calibrate_hand(source: Source, pipeline: HandPipeline, options: argparse.Namespace) -> int:
    """Watch a hand at a known distance for a while, and keep its length."""
    say(f"hold one open hand {options.calibrate_hand:g} mm from the camera, turn it slowly; Ctrl-C ends without it")
    end_s = time.monotonic() + (options.seconds or (CALIBRATION_S if source.is_live else math.inf))
    frames = takewhile(lambda _: time.monotonic() < end_s, source)
    profile = measure_hand(map(pipeline, frames), options.calibrate_hand)
    print(f"hand        {profile.hand_length_mm:g} mm, single pictures +-{profile.spread_mm:g} mm")
    _tell_profile(keep_length(options, profile))
    return 0


def _tell_profile(path: Path | None) -> None:
    if path is not None:
        print(f"kept in     {path}")


def _track(
    source: Source,
    pipeline: HandPipeline,
    views: Viewer,
    tracks: TrackWriter | None,
    streams: Streams | None,
    summary: RunSummary,
    stop: StopSignals,
    seconds: float | None,
) -> None:
    """Run live or through a recording until it ends, a window is closed, time is up, or somebody says stop."""
    end_s = time.monotonic() + (seconds or math.inf)

    def keep(result: Result) -> None:
        summary.add(result)
        if tracks is not None:
            with summary.stage("tracks"):
                tracks.append(result.hands)
        if streams is not None:
            with summary.stage("streams"):
                streams.send(result)

    def show(result: Result) -> None:
        with summary.showing(result):
            views.show(result.hands, result.frame.image_bgr)

    def over() -> bool:
        return stop.requested or time.monotonic() > end_s or not views.is_running()

    if source.is_live:
        run_live(source, pipeline, show, over, keep)
        return
    for result in run_recorded(source, pipeline):
        keep(result)
        show(result)
        if over():
            break


def _tell(summary: RunSummary, trace: Trace | None, options: argparse.Namespace) -> None:
    if not summary.frames:
        return
    files = [path for path in (options.save_tracks, options.save_video) if path and _complete(path)]
    if options.profile:
        print(summary.table())
    print("\n".join(summary.lines(files)), flush=True)
    if options.profile_json:
        summary.save(options.profile_json)
        print(f"{'' if files else 'written':11} {options.profile_json}", flush=True)
    if trace is not None:
        trace.save(options.trace)
        print(f"{'' if files or options.profile_json else 'written':11} {options.trace}", flush=True)


def _complete(path: Path) -> bool:
    """Whether this run wrote it: a full disk leaves an empty video, or the part of a track file."""
    return path.exists() and path.stat().st_size > 0 and not path.with_name(path.name + PART_SUFFIX).exists()


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code: 0, 2 for what the user can mend, 1 for a fault of ours, 130 for Ctrl-C."""
    options = parse(argv)
    if options.demo:
        options = _with_demo(options)
    logging.basicConfig(level=logging.INFO if options.debug else logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return run(options) if options.out is None else run_many(options)
    except UserError as error:
        if options.debug:
            traceback.print_exc()
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it was, a user gets one line and --debug
        if options.debug:
            traceback.print_exc()
        say(f"internal error: {type(error).__name__}: {error}; --debug shows where. Please report it.")
        return 1


if __name__ == "__main__":
    exit_code = main()
    for number in SIGNALS:  # what is left is Python's own end, quick and silent
        signal.signal(number, signal.SIG_IGN)
    leave(exit_code)

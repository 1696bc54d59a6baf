"""Two hands, in millimetres, from one ordinary camera, live.

Finds both hands in a camera, a video or a folder of pictures and shows them in 3D. At the end it says how it went.
"""

from __future__ import annotations

import sys

try:  # around all imports, which take a second: Ctrl-C in them is no fault to show
    import gc
    import os
    import signal

    _OWN_PROCESS = __name__ in ("__main__", "__mp_main__")
    if _OWN_PROCESS:
        gc.disable()  # what is imported is no garbage: to search it again and again is a tenth of the start
    _PROGRAM = _OWN_PROCESS and signal.getsignal(signal.SIGINT) == signal.default_int_handler
    if _PROGRAM:  # at once, while nothing is begun: libraries make errors of their own of an exception in their start
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))

    import json
    import logging
    import math
    import time
    import traceback
    from contextlib import ExitStack, closing
    from dataclasses import replace
    from functools import partial
    from pathlib import Path
    from typing import Any

    from engines import heap
    from engines.errors import UserError
    from engines.terminal import command, is_interrupt
    from realtime.batch.job import Work
    from realtime.batch.plan import VIDEO_WORKER_BYTES, WORKER_BYTES, expand, plan, sensible_workers
    from realtime.batch.run import run_batch
    from realtime.camera_space.intrinsics import resolve_intrinsics
    from realtime.cli.measuring import calibrate_hand, keep_length
    from realtime.cli.options import BatchOptions, Options, parse
    from realtime.cli.outputs import check_files
    from realtime.cli.stopping import SIGNALS, StopSignals, leave
    from realtime.engine import backend_of
    from realtime.files import check_folder
    from realtime.formats.saving import save_as
    from realtime.pipeline import HandPipeline
    from realtime.reports.meter import RunMeter
    from realtime.reports.summary import RunSummary
    from realtime.reports.tracing import Trace, TraceSink
    from realtime.reports.versions import versions
    from realtime.sinks import Each, Sinks, flow
    from realtime.sources.opening import Source, open_source
    from realtime.streams.sending import Streams, open_streams
    from realtime.tracks.writer import TrackWriter
    from viz.video.render import render_recording
    from viz.viewer import Display
    from viz.views import open_video, open_windows
    from viz.window.display import has_display, require_display

    if _PROGRAM:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _OWN_PROCESS:
        gc.freeze()  # nor will it be, and no search while hands are tracked has to go through it
        gc.enable()
except ModuleNotFoundError as missing:
    sys.stderr.write(f"error: {missing.name} is not installed in this Python: run make setup, then .venv/bin/python\n")
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)

ROOT = Path(__file__).parent
SAMPLE = ROOT / "samples" / "two_hands.mp4"
DEMO_OUTPUT = ROOT / "out" / "demo"


def say(line: str) -> None:
    """A note to the user, apart from the program's output."""
    print(line, file=sys.stderr, flush=True)


def run(options: Options) -> int:
    """`source -> pipeline -> sinks`, to the end; also after an error everything that was begun is finished."""
    settings, to = options.settings, options.streams
    _refuse_early(options)
    keep_length(options.hand)
    heap.begin_small()
    with StopSignals() as stop, ExitStack() as at_end:
        source = at_end.enter_context(closing(_open_source(options)))
        meter = RunMeter(source, settings.timing.warmup_frames)
        trace = None if options.report.trace is None else Trace()
        # Before the network loads, so that a port that is taken is told at once.
        streams = open_streams(to.osc, to.websocket, to.origins, say, vmc=to.vmc, openxr=to.openxr)
        if streams is not None:
            at_end.callback(streams.close)
        intrinsics_of = partial(resolve_intrinsics, settings.intrinsics)
        on_stage = [] if trace is None else [trace.slice]
        backend = backend_of(settings, say, sparing=True)
        rotations = _takes_rotations(options)
        pipeline = HandPipeline(settings, backend, intrinsics_of, *on_stage, live=source.is_live, rotations=rotations)
        at_end.callback(pipeline.close)
        if options.hand.calibrate_mm is not None:
            calibrate_hand(at_end.enter_context(source), pipeline, options.hand, options.seconds, say)
            return 0
        sinks = at_end.enter_context(Sinks([meter.add_stage, *on_stage]))
        _add_sinks(sinks, options, source, meter, trace, streams)
        at_end.enter_context(source)
        heap.all_is_open()
        stop.defer()
        end_s = time.monotonic() + (options.seconds or math.inf)
        flow(source, pipeline, sinks, lambda: stop.requested or time.monotonic() > end_s)
    if not meter.frames:
        print("no frames")
    return 130 if stop.requested and not source.is_live else 0


def _takes_rotations(options: Options) -> bool:
    """Whether anything that comes of this run tells how joints are turned: files and streams do, views do not."""
    to = options.streams
    return any(way is not None for way in (options.save_tracks, options.mcap, to.osc, to.websocket, to.vmc))


def _add_sinks(
    sinks: Sinks, options: Options, source: Source, meter: RunMeter, trace: Trace | None, streams: Streams | None
) -> None:
    """Every way out of a run. Another one is a line here; the last one is closed first."""
    view, report = options.view, options.report
    live, three_d, display = source.is_live, view.three_d, Display(mirror=view.mirror)
    files = (options.save_tracks, options.mcap, view.save_video, report.profile_json, report.trace)
    sinks.every(RunSummary(meter, report.profile, report.profile_json, files))
    tracing = TraceSink(trace, report.trace, live) if trace and report.trace else None
    sinks.every(tracing)
    if options.save_tracks is not None:
        sinks.every(_open_tracks(options, options.save_tracks, source), "tracks")
    if options.mcap is not None:
        from realtime.formats.robots.mcap_file import McapSink  # its package may not be installed

        sinks.every(McapSink(options.mcap), "tracks")
    if streams is not None:
        meter.count_drops("late for the streams", lambda: streams.dropped)
        sinks.every(streams, "streams")
    for window in () if view.headless else open_windows(display, three_d, live, say):
        sinks.newest(window, "show")
    if view.save_video is not None:
        sinks.newest(open_video(view.save_video, display, three_d, live, say), "show")
    sinks.newest(Each(meter.add_shown))
    if tracing is not None:
        sinks.newest(Each(tracing.shown))


def _open_tracks(options: Options, path: Path, source: Source) -> TrackWriter:
    intrinsics = resolve_intrinsics(options.settings.intrinsics, source.size_px)
    texts = options.settings.model_dump_json(), json.dumps(versions())
    save = partial(save_as, recording=options.source.video or options.source.images)
    return TrackWriter(path, intrinsics, source.size_px, *texts, save=save)


def _refuse_early(options: Options) -> None:
    """Refuse what cannot end well before anything slow is done, and before any file is touched."""
    if not options.view.headless and options.hand.calibrate_mm is None:
        require_display("the windows")
    check_files(options)


def _open_source(options: Options) -> Source:
    source = options.source
    return open_source(
        options.settings.camera,
        camera=source.camera,
        video=source.video,
        images=source.images,
        images_fps=source.images_fps,
        realtime=source.realtime,
    )


def run_many(options: Options, batch: BatchOptions) -> int:
    """Track many recordings into a folder."""
    check_folder("--out", batch.out)
    keep_length(options.hand)
    jobs = plan(expand(batch.recordings), batch.out, batch.resume)
    drawing: dict[str, Any] = {"three_d": options.view.three_d, "mirror": options.view.mirror}
    work = Work(
        options.settings,
        images_fps=options.source.images_fps,
        smooth=batch.offline_smoothing,
        suffixes=tuple(f".{name}" for name in batch.formats),
        render=partial(render_recording, **drawing) if batch.save_video else None,
        drawn_with=json.dumps(drawing),
    )
    with StopSignals() as stop:
        stop.defer()
        workers = batch.workers or sensible_workers(each_bytes=VIDEO_WORKER_BYTES if work.render else WORKER_BYTES)
        return run_batch(jobs, work, workers, lambda: stop.requested, say, batch.ray)


def _with_demo(options: Options) -> Options:
    """With a display the sample clip plays in windows; without one it goes into files."""
    headless = options.view.headless or not has_display()
    source = replace(options.source, video=SAMPLE, realtime=options.source.realtime or not headless)
    view, save_tracks = replace(options.view, headless=headless), options.save_tracks
    if headless:
        save_tracks = save_tracks or DEMO_OUTPUT / "tracks.npz"
        view = replace(view, save_video=view.save_video or DEMO_OUTPUT / "overlay.mp4")
    return replace(options, source=source, view=view, save_tracks=save_tracks)


def _run(argv: list[str]) -> int:
    options = parse(argv)
    if options.batch is not None:
        return run_many(options, options.batch)
    return run(_with_demo(options) if options.source.demo else options)


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code: 0, 2 for what the user can mend, 1 for a fault of ours, 130 for Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    logging.basicConfig(level=logging.INFO if debug else logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return _run(argv)
    except UserError as error:
        if debug:
            traceback.print_exc()
        say(f"error: {error}")
        return 2
    except Exception as error:
        if is_interrupt(error):
            raise  # as Ctrl-C itself, to `command`, which has a word for it
        if debug:
            traceback.print_exc()
        say(f"internal error: {type(error).__name__}: {error}; --debug shows where. Please report it.")
        return 1


if __name__ == "__main__":
    try:
        exit_code = main()
    except KeyboardInterrupt:  # just before `main` can see to it
        exit_code = 130
    for number in SIGNALS:  # what is left is Python's own end, quick and silent
        signal.signal(number, signal.SIG_IGN)
    leave(exit_code)

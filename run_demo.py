"""Two hands, in millimetres, from one ordinary camera, live: the command line.

`python run_demo.py --camera 0` opens a webcam, `--video FILE` goes through a recording, `--demo` shows the sample clip.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from contextlib import ExitStack
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engines.backend import Backend, EngineRequest, open_backend
from engines.errors import UserError
from realtime.config import Settings, load_settings
from realtime.intrinsics import resolve_intrinsics
from realtime.live import Result, run_live, run_recorded
from realtime.pipeline import HandPipeline
from realtime.sources import Source, open_source
from realtime.summary import RunSummary
from realtime.tracks_writer import TrackWriter
from viz.viewer import Viewer
from viz.views import ViewRequest, open_views

ROOT = Path(__file__).parent
SAMPLE = ROOT / "samples" / "two_hands.mp4"
DEMO_OUTPUT = ROOT / "out" / "demo"


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments, with `--demo` spelled out."""
    parser = argparse.ArgumentParser(
        prog="python run_demo.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    source = parser.add_argument_group("what to look at (one of them)").add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--camera", metavar="ID", help="camera by number (0), device (/dev/video2) or address (rtsp://...)"
    )
    source.add_argument("--video", type=Path, metavar="FILE", help="a recording; every frame is used")
    source.add_argument("--images", type=Path, metavar="DIR", help="a folder of pictures, in the order of their names")
    source.add_argument("--demo", action="store_true", help="the sample clip; without a display it writes out/demo/")
    show = parser.add_argument_group("what to show and save")
    show.add_argument("--headless", action="store_true", help="open no window")
    show.add_argument("--no-3d", action="store_true", help="no 3D view, neither as a window nor in the saved video")
    show.add_argument("--mirror", action="store_true", help="show as in a mirror (display only)")
    show.add_argument(
        "--save-tracks", type=Path, metavar="OUT.npz", help="write joints of every frame (docs/tracks.md)"
    )
    show.add_argument("--save-video", type=Path, metavar="OUT.mp4", help="write the overlay and the 3D view as a video")
    camera = parser.add_argument_group("camera and engine")
    camera.add_argument("--fov", type=float, metavar="DEG", help="horizontal field of view of the camera (60)")
    camera.add_argument("--intrinsics", type=Path, metavar="FILE", help="calibration of the camera (YAML or JSON)")
    camera.add_argument("--realtime", action="store_true", help="play the recording like a camera: newest frame wins")
    camera.add_argument("--fps", type=float, default=30.0, help="rate of a folder of pictures (30)")
    camera.add_argument("--engine", choices=("auto", "openvino", "torch"), help="what runs the network")
    camera.add_argument("--weights", type=Path, metavar="FILE", help="other weights (safetensors)")
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--config", type=Path, metavar="FILE", help="a settings file; realtime/default.yaml shows all keys"
    )
    run.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="change one setting")
    run.add_argument("--seconds", type=float, metavar="N", help="stop after so long")
    run.add_argument("--profile", action="store_true", help="print how long each stage takes")
    run.add_argument("--profile-json", type=Path, metavar="FILE", help="write the same as JSON")
    run.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(argv)
    return _demo_options(options) if options.demo else options


def _demo_options(options: argparse.Namespace) -> argparse.Namespace:
    options.video = SAMPLE
    options.realtime = options.realtime or not _headless(options)
    options.save_tracks = options.save_tracks or DEMO_OUTPUT / "tracks.npz"
    options.save_video = options.save_video or DEMO_OUTPUT / "overlay.mp4"
    return options


def _headless(options: argparse.Namespace) -> bool:
    from viz.display import has_display

    return bool(options.headless or (options.demo and not has_display()))


def settings_of(options: argparse.Namespace) -> Settings:
    """Settings file, then `--set`, then the options that are short names of settings."""
    overrides = list(options.set)
    if options.fov is not None:
        overrides += ["intrinsics.source=fov", f"intrinsics.fov_deg={options.fov}"]
    if options.intrinsics is not None:
        overrides += ["intrinsics.source=file", f"intrinsics.file={json.dumps(str(options.intrinsics))}"]
    if options.engine is not None:
        overrides.append(f"engine.backend={options.engine}")
    if options.weights is not None:
        overrides.append(f"engine.weights={json.dumps(str(options.weights))}")
    return load_settings(options.config, overrides)


def backend_of(settings: Settings) -> Backend:
    """The engine that the settings ask for."""
    engine = settings.engine
    weights = Path(engine.weights) if engine.weights else None
    cache = Path(engine.cache) if engine.cache else None
    request = EngineRequest(engine.preset, weights, engine.backend, engine.precision, engine.threads, cache)
    return open_backend(request, say)


def say(line: str) -> None:
    """A note to the user, apart from the program's output."""
    print(line, file=sys.stderr, flush=True)


def run(options: argparse.Namespace) -> int:
    """Assemble everything, run to the end, tell how it went."""
    settings = settings_of(options)
    with ExitStack() as stack:
        source = open_source(
            settings.camera,
            camera=options.camera,
            video=options.video,
            images=options.images,
            images_fps=options.fps,
            realtime=options.realtime,
        )
        stack.callback(source.close)
        backend = backend_of(settings)
        pipeline = HandPipeline(settings, backend, partial(resolve_intrinsics, settings.intrinsics))
        stack.callback(pipeline.close)
        tracks = stack.enter_context(_track_writer(options, settings, source)) if options.save_tracks else None
        request = ViewRequest(_headless(options), not options.no_3d, options.mirror, options.save_video, source.is_live)
        views = open_views(request, say)
        stack.callback(views.close)
        stack.enter_context(source)
        summary = RunSummary(settings.timing.warmup_frames)
        interrupted = _track(source, pipeline, views, tracks, summary, options.seconds)
    files = [path for path in (options.save_tracks, options.save_video) if path and path.exists()]
    _tell(summary, options, files)
    return 130 if interrupted and not source.is_live else 0


def _track_writer(options: argparse.Namespace, settings: Settings, source: Source) -> TrackWriter:
    intrinsics = resolve_intrinsics(settings.intrinsics, source.size_px)
    return TrackWriter(options.save_tracks, intrinsics, source.size_px, settings.model_dump_json(), _versions())


def _track(
    source: Source,
    pipeline: HandPipeline,
    views: Viewer,
    tracks: TrackWriter | None,
    summary: RunSummary,
    seconds: float | None,
) -> bool:
    """Run live or through a recording; returns whether Ctrl-C ended it."""
    end_s = time.monotonic() + seconds if seconds else float("inf")

    def keep(result: Result) -> None:
        summary.add(result)
        if tracks is not None:
            tracks.append(result.hands)

    def show(result: Result) -> None:
        views.show(result.hands, result.frame.image_bgr)

    def over() -> bool:
        return time.monotonic() > end_s or not views.is_running()

    try:
        if source.is_live:
            run_live(source, pipeline, show, over, keep)
            return False
        for result in run_recorded(source, pipeline):
            keep(result)
            show(result)
            if over():
                break
    except KeyboardInterrupt:
        return True
    return False


def _tell(summary: RunSummary, options: argparse.Namespace, files: list[Path]) -> None:
    if options.profile:
        print(summary.table())
    if options.profile_json:
        summary.save(options.profile_json)
        files = [*files, options.profile_json]
    print("\n".join(summary.lines(files)))


def _versions() -> str:
    """Versions of what shaped the tracks, as JSON."""
    names = ("two-hands-live", "mediapipe", "openvino", "torch", "numpy", "opencv-contrib-python")
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return json.dumps(found)


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code: 0, 2 for what the user can mend, 1 for a fault of ours, 130 for Ctrl-C."""
    options = parse(argv)
    logging.basicConfig(level=logging.INFO if options.debug else logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return run(options)
    except UserError as error:
        if options.debug:
            raise
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if options.debug:
            raise
        say(f"internal error: {type(error).__name__}: {error}; --debug shows where. Please report it.")
        return 1


if __name__ == "__main__":
    sys.exit(main())

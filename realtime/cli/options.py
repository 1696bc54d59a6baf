"""The words of the command line: every option of `run_demo.py`, and the settings that some are short for."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Final, NoReturn, get_args

from engines.contract import BackendName
from engines.presets import SPECS
from realtime.cli.batch_options import BESIDE, add_batch_options, check_batch_options
from realtime.cli.scale_options import add_scale_options, check_scale_options, scale_overrides
from realtime.cli.stream_options import add_stream_options, check_stream_options
from realtime.config import Settings, load_settings
from realtime.formats.saving import SUFFIXES
from realtime.reports.versions import versions

DESCRIPTION: Final = """Two hands, in millimetres, from one ordinary camera, live.

Finds both hands in a camera, a video or a folder of pictures, shows them in 3D, and says at the end how it went.
"""
EXAMPLES: Final = """examples:
  python run_demo.py --camera 0                      your own hands in two windows; ESC closes them
  python run_demo.py --camera 0 --fov 78 --mirror    the same with the camera's true field of view, as in a mirror
  python run_demo.py --video clip.mp4 --headless --save-tracks clip.npz --save-video overlay.mp4
                                                     without windows, into files
  python run_demo.py --video "clips/*.mp4" --out tracks
                                                     many recordings, over all cores; --resume goes on after a kill
  python -m viz.playback clip.npz --video clip.mp4   look at the tracks again
"""


_PICTURES_A_SECOND: Final = 30.0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see python run_demo.py --help\n")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments, checked against each other; exits with code 2 and one line if they make no sense."""
    parser = _Parser(
        prog="python run_demo.py",
        usage="python run_demo.py (--camera ID | --video FILE | --images DIR | --demo) [options]",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--version", action="version", version=", ".join(f"{name} {number}" for name, number in versions().items()))
    add("--debug", action="store_true", help="show the traceback of an error, and notes on the way")
    _add_sources(parser)
    _add_views(parser)
    add_batch_options(parser)
    add_stream_options(parser)
    _add_networks(parser)
    add_scale_options(parser)
    _add_run(parser)
    options = parser.parse_args(argv)
    check_batch_options(parser, options)
    check_scale_options(parser, options)
    check_stream_options(parser, options)
    if options.realtime and options.video is None and not options.demo:
        parser.error("--realtime goes with --video only; a camera always runs in real time")
    if options.fps is not None and options.images is None:
        parser.error("--fps goes with --images only; a recording has times of its own, a camera has camera.fps")
    options.fps = options.fps or _PICTURES_A_SECOND
    if options.fov is not None and options.intrinsics is not None:
        parser.error("--fov and --intrinsics both tell the camera's geometry; give one of them")
    return options


def _add_sources(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what to look at, one of").add_mutually_exclusive_group(required=True).add_argument
    add("--camera", metavar="ID", help="camera by number (0), device (/dev/video2) or address (rtsp://...)")
    add("--video", nargs="+", metavar="FILE", help="a recording, every frame of it; with --out also several")
    add("--images", nargs="+", metavar="DIR", help="a folder of pictures, in the order of their names; likewise")
    add("--demo", action="store_true", help="the sample clip; without a display into files in out/demo")


def _add_views(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what to show and save").add_argument
    add("--headless", action="store_true", help="open no window")
    add("--no-3d", action="store_true", help="no 3D view, neither as a window nor in the saved video")
    add("--mirror", action="store_true", help="show as in a mirror; what is saved as tracks stays as it is")
    add(
        "--save-tracks",
        type=Path,
        metavar="OUT.npz",
        help="the joints of every frame; docs/tracks.md lists the fields"
        f" and the other formats ({', '.join(SUFFIXES[1:])})",
    )
    add(
        "--save-video",
        type=Path,
        nargs="?",
        const=BESIDE,
        metavar="OUT.mp4",
        help="the picture with the hands drawn in, and the 3D view beside it; with --out without a name",
    )


def _add_networks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("camera and network").add_argument
    add("--fov", type=float, metavar="DEG", help="field of view of the camera, across the longer side (60)")
    add("--intrinsics", type=Path, metavar="FILE", help="calibration of the camera, YAML or JSON, instead of --fov")
    add("--realtime", action="store_true", help="play --video like a camera: in its own time, dropping late frames")
    add("--fps", type=_above_zero, metavar="N", help="pictures a second in --images (30)")
    add("--engine", choices=get_args(BackendName), help="what runs the network (auto: the fastest here)")
    add("--preset", choices=sorted(SPECS), help="the network: lite (ships), or paper with the released checkpoint")
    add("--weights", type=Path, metavar="FILE", help="other weights (.safetensors, or a released snapshot_*.pth.tar)")
    add("--rootnet", type=Path, metavar="FILE", help="preset paper: a RootNet checkpoint for hands, for absolute depth")


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the run").add_argument
    add("--seconds", type=_above_zero, metavar="N", help="stop after so long")
    add("--config", type=Path, metavar="FILE", help="a settings file; realtime/default.yaml explains all settings")
    add("--set", action="append", default=[], metavar="A.B=VALUE", help="change one setting; may be repeated")
    add("--profile", action="store_true", help="print how long each stage takes, what was dropped, processor, memory")
    add("--profile-json", type=Path, metavar="OUT.json", help="write that and the summary as JSON")
    add("--trace", type=Path, metavar="OUT.json", help="write what each thread did when, for https://ui.perfetto.dev")


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number


def settings_of(options: argparse.Namespace) -> Settings:
    """Settings file, then `--set`, then the options that are short names of settings."""
    overrides = [*scale_overrides(options), *options.set]
    if options.fov is not None:
        overrides += ["intrinsics.source=fov", f"intrinsics.fov_deg={options.fov}"]
    if options.intrinsics is not None:
        overrides += [f"intrinsics.file={json.dumps(str(options.intrinsics))}", "intrinsics.source=file"]
    if options.preset is not None:
        overrides.append(f"engine.preset={options.preset}")
    if options.engine is not None:
        overrides.append(f"engine.backend={options.engine}")
    if options.weights is not None:
        overrides.append(f"engine.weights={json.dumps(str(options.weights))}")
    if options.rootnet is not None:
        overrides.append(f"engine.rootnet={json.dumps(str(options.rootnet))}")
    return load_settings(options.config, overrides)

"""The words of the command line: every option of `run_demo.py`, and of which settings some are the short names."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

from engines.contract import BackendName
from engines.presets import SPECS
from realtime.camera_space.hand_size import LONGEST_MM, SHORTEST_MM
from realtime.command import CommandParser, above_zero, between
from realtime.config import Person
from realtime.formats.saving import FORMATS, SUFFIXES
from realtime.reports.versions import versions
from realtime.streams.address import at_usual_port, parse_address
from realtime.streams.origins import parse_origin
from realtime.streams.vmc import PORT as VMC_PORT

DESCRIPTION: Final = """Two hands, in millimetres, from one ordinary camera, live.

Finds both hands in a camera, a video or a folder of pictures, shows them in 3D, and says at the end how it went.
"""
EPILOG: Final = """settings, the later one wins:
  defaults (realtime/default.yaml explains all), hand profile, --config FILE, named options, --set section.name=value

examples:
  python run_demo.py --camera 0                      your own hands in two windows; ESC closes them
  python run_demo.py --camera 0 --fov 78 --mirror    the same with the camera's true field of view, as in a mirror
  python run_demo.py --video clip.mp4 --headless --save-tracks clip.npz --save-video overlay.mp4
                                                     without windows, into files
  python run_demo.py --video "clips/*.mp4" --out tracks
                                                     many recordings, over all cores; --resume goes on after a kill
  python -m viz.playback clip.npz --video clip.mp4   look at the tracks again
  python -m viz.report clip.npz --video clip.mp4     the same as a page of pictures and plots
"""
BESIDE: Final = Path("-")
"""`--save-video` without a name: beside the tracks of each recording."""


@dataclass(frozen=True)
class Short:
    """An option that is the short name of a setting."""

    option: str
    setting: str
    how: Mapping[str, Any]
    """For argparse."""
    also: Mapping[str, Any] = field(default_factory=dict)
    """What else it settles."""


CAMERA_AND_NETWORK: Final = (
    Short(
        "--fov",
        "intrinsics.fov_deg",
        {"type": float, "metavar": "DEG", "help": "field of view of the camera, across the longer side (60)"},
        {"intrinsics.source": "fov"},
    ),
    Short(
        "--intrinsics",
        "intrinsics.file",
        {"metavar": "FILE", "help": "calibration of the camera, YAML or JSON, instead of --fov"},
        {"intrinsics.source": "file"},
    ),
    Short(
        "--engine",
        "engine.backend",
        {"choices": get_args(BackendName), "help": "what runs the network (auto: the fastest here)"},
    ),
    Short(
        "--preset",
        "engine.preset",
        {"choices": sorted(SPECS), "help": "the network: lite (ships), or paper with the released checkpoint"},
    ),
    Short(
        "--weights",
        "engine.weights",
        {"metavar": "FILE", "help": "other weights (.safetensors, or a released snapshot_*.pth.tar)"},
    ),
    Short(
        "--rootnet",
        "engine.rootnet",
        {"metavar": "FILE", "help": "preset paper: a RootNet checkpoint for hands, for absolute depth"},
    ),
    Short(
        "--mirrored-source",
        "camera.mirrored",
        {
            "action": "store_const",
            "const": True,
            "help": "the source is mirrored, as selfies and video calls are: turn it back, or left and right change "
            "places",
        },
    ),
    Short(
        "--person",
        "tracker.person",
        {"choices": get_args(Person), "help": "whose hands to follow where there are several people (first)"},
    ),
)
SCALE: Final = (
    Short(
        "--depth",
        "fusion.depth",
        {"choices": ("root", "closed", "fused"), "help": "where a wrist's depth comes from (root)"},
    ),
    Short(
        "--hand-length-mm",
        "fusion.hand_length_mm",
        {
            "type": between(SHORTEST_MM, LONGEST_MM, "mm", "length of a hand"),
            "metavar": "MM",
            "help": "your hand, wrist to middle fingertip; kept for --camera",
        },
    ),
)
SHORT_NAMES: Final = (*CAMERA_AND_NETWORK, *SCALE)


def command_parser() -> CommandParser:
    """All words; what they mean together is the matter of `realtime.cli.options`."""
    parser = CommandParser(
        "python run_demo.py",
        DESCRIPTION,
        EPILOG,
        "python run_demo.py (--camera ID | --video FILE | --images DIR | --demo) [options]",
    )
    add = parser.add_argument
    add("--version", action="version", version=", ".join(f"{name} {number}" for name, number in versions().items()))
    add("--debug", action="store_true", help="show the traceback of an error, and notes on the way")
    _add_sources(parser)
    _add_views(parser)
    _add_batch(parser)
    _add_streams(parser)
    _add_short_names(parser.add_argument_group("camera and network"), CAMERA_AND_NETWORK)
    _add_scale(parser)
    _add_run(parser)
    return parser


def _add_short_names(group: argparse._ArgumentGroup, names: tuple[Short, ...]) -> None:
    for name in names:
        group.add_argument(name.option, dest=name.setting, **name.how)


def _add_sources(parser: CommandParser) -> None:
    group = parser.add_argument_group("what to look at, one of the first four")
    add = group.add_mutually_exclusive_group(required=True).add_argument
    add("--camera", metavar="ID", help="camera by number (0), device (/dev/video2) or address (rtsp://...)")
    add("--video", nargs="+", metavar="FILE", help="a recording, every frame of it; with --out also several")
    add("--images", nargs="+", metavar="DIR", help="a folder of pictures, in the order of their names; likewise")
    add("--demo", action="store_true", help="the sample clip; without a display into files in out/demo")
    add = group.add_argument
    add("--realtime", action="store_true", help="play --video like a camera: in its own time, dropping late frames")
    add("--fps", type=above_zero, metavar="N", help="pictures a second in --images (30)")


def _add_views(parser: CommandParser) -> None:
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
    add("--mcap", type=Path, metavar="OUT.mcap", help="hands as ROS 2 messages, written as they come, for Foxglove")


def _add_batch(parser: CommandParser) -> None:
    add = parser.add_argument_group("many recordings, and long ones").add_argument
    add("--out", type=Path, metavar="DIR", help="track every recording into DIR, without windows; docs/batch.md")
    add("--workers", type=_processes, metavar="N", help="recordings side by side (as many as cores and memory allow)")
    add("--resume", action="store_true", help="go on where a run into the same DIR was stopped or killed")
    add("--format", nargs="+", choices=FORMATS, default=[], help="formats of tracks besides npz", metavar="NAME")
    add("--offline-smoothing", action="store_true", help="smooth without lag, fill gaps, one hand size a recording")
    add("--ray", nargs="?", const="local", metavar="ADDRESS", help="work on a Ray cluster (auto, or its address)")


def _add_streams(parser: CommandParser) -> None:
    add = parser.add_argument_group("hands for other programs, docs/streams.md").add_argument
    add("--osc", type=parse_address, metavar="HOST:PORT", help="send every frame as an OSC bundle (UDP)")
    add(
        "--vmc",
        type=at_usual_port(VMC_PORT),
        metavar="HOST[:PORT]",
        help=f"send hand and finger bones to avatars by the VMC protocol (UDP, port {VMC_PORT})",
    )
    add(
        "--websocket",
        type=parse_address,
        metavar="[HOST:]PORT",
        help="serve every frame as JSON, and a page that draws it, to this machine (0.0.0.0:PORT: to all)",
    )
    add("--websocket-openxr", action="store_true", help="send OpenXR's 26 joints of each hand beside ours")
    add(
        "--websocket-origin",
        type=parse_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let web pages from there listen too, such as https://example.org; may be repeated",
    )


def _add_scale(parser: CommandParser) -> None:
    group = parser.add_argument_group("scale")
    _add_short_names(group, SCALE)
    distance = between(150.0, 3000.0, "mm", "distance for a hand")
    add = group.add_argument
    add("--calibrate-hand", type=distance, metavar="MM", help="measure your hand: hold it so far from the camera")
    add("--profile-file", type=Path, metavar="FILE", help="keep the hand's length there, and take it from there")


def _add_run(parser: CommandParser) -> None:
    add = parser.add_argument_group("the run").add_argument
    add("--seconds", type=above_zero, metavar="N", help="stop after so long")
    add("--config", type=Path, metavar="FILE", help="a settings file; realtime/default.yaml explains all settings")
    add("--set", action="append", default=[], metavar="A.B=VALUE", help="change one setting; may be repeated")
    add("--profile", action="store_true", help="print how long each stage takes, what was dropped, processor, memory")
    add("--profile-json", type=Path, metavar="OUT.json", help="write that and the summary as JSON")
    add("--trace", type=Path, metavar="OUT.json", help="write what each thread did when, for https://ui.perfetto.dev")


def _processes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes")
    return int(text)

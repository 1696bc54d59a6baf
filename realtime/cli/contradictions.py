"""Which words of a command line do not go together, and the way out (any thread)."""

from __future__ import annotations

import argparse
import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from realtime.cli.words import BESIDE

_ONE_ONLY: Final = ("save_tracks", "mcap", "realtime", "seconds", "profile_json", "profile", "trace")
_MANY_ONLY: Final = ("workers", "resume", "format", "offline_smoothing", "ray")
_NOT_MEASURING: Final = (
    *("save_tracks", "mcap", "save_video", "profile", "profile_json", "trace"),
    *("osc", "vmc", "websocket"),
)
"""What a run does that `--calibrate-hand` does not: it measures the hand, and no more."""


def contradictions(words: argparse.Namespace) -> Iterator[str]:
    """What does not go together, and the way out: a line each."""
    yield from _one_or_many(words)
    yield from _measuring(words)
    if words.out is not None and (words.osc or words.vmc or words.websocket):
        yield "--osc, --vmc and --websocket go with one source, not with --out"
    if words.websocket is None:
        lonely = _given(words, ("websocket_origin", "websocket_openxr"))
        yield from (f"{option} goes with --websocket" for option in lonely)
    for option in _given(words, ("osc", "vmc")):
        if getattr(words, option.removeprefix("--")).port == 0:
            yield f"{option} needs the port that the other program listens at"
    if words.realtime and words.video is None and not words.demo:
        yield "--realtime goes with --video only; a camera always runs in real time"
    if words.fps is not None and words.images is None:
        yield "--fps goes with --images only; a recording has times of its own, a camera has camera.fps"
    if None not in (getattr(words, "intrinsics.fov_deg"), getattr(words, "intrinsics.file")):
        yield "--fov and --intrinsics both tell the camera's geometry; give one of them"


def _one_or_many(words: argparse.Namespace) -> Iterator[str]:
    sources = words.video or words.images or []
    if words.out is not None:
        if not sources:
            yield "--out goes with --video or --images"
        yield from (f"{option} goes with one recording, not with --out" for option in _given(words, _ONE_ONLY))
        if words.save_video not in (None, BESIDE):
            yield "with --out give --save-video without a name; the videos lie beside the tracks"
        return
    yield from (f"{option} goes with --out DIR only" for option in _given(words, _MANY_ONLY))
    if words.save_video == BESIDE:
        yield "--save-video needs the name of a file, such as --save-video hands.mp4"
    if len(sources) > 1 or (sources and glob.has_magic(sources[0]) and not Path(sources[0]).exists()):
        yield "several recordings need a folder for what comes out: --out DIR"


def _measuring(words: argparse.Namespace) -> Iterator[str]:
    if words.calibrate_hand is None:
        return
    if getattr(words, "fusion.hand_length_mm") is not None:
        yield "--hand-length-mm and --calibrate-hand both tell the hand's length; give one of them"
    if words.out is not None or (words.camera is None and words.profile_file is None):
        yield "--calibrate-hand goes with --camera, or with one recording and --profile-file"
    idle = _given(words, _NOT_MEASURING)
    if idle:
        yield f"--calibrate-hand only measures the hand, without {', '.join(idle)}; do that in a second run"


def _given(words: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    """Those of the options that are there, as they are typed."""
    return [f"--{name.replace('_', '-')}" for name in names if getattr(words, name) not in (None, False, [])]

"""The words of the command line for many recordings."""

from __future__ import annotations

import argparse
import glob
from pathlib import Path
from typing import Final

from realtime.formats.saving import FORMATS

BESIDE: Final = Path("-")
"""`--save-video` without a name: beside the tracks of each recording."""
_ONE_ONLY: Final = ("save_tracks", "realtime", "seconds", "profile_json", "profile", "trace")
_MANY_ONLY: Final = ("workers", "resume", "format", "offline_smoothing", "ray")


def add_batch_options(parser: argparse.ArgumentParser) -> None:
    """`--out` and what goes with it."""
    add = parser.add_argument_group("many recordings, and long ones").add_argument
    add("--out", type=Path, metavar="DIR", help="track every recording into DIR, without windows; docs/batch.md")
    add(
        "--workers", type=_at_least_one, metavar="N", help="recordings side by side (as many as cores and memory allow)"
    )
    add("--resume", action="store_true", help="go on where a run into the same DIR was stopped or killed")
    add("--format", nargs="+", choices=FORMATS, default=[], help="formats of tracks besides npz", metavar="NAME")
    add("--offline-smoothing", action="store_true", help="smooth without lag, fill gaps, one hand size a recording")
    add("--ray", nargs="?", const="local", metavar="ADDRESS", help="work on a Ray cluster (auto, or its address)")


def check_batch_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with one line if the words do not go together; one recording becomes a path, as the live way wants it."""
    words = options.video or options.images or []
    if options.out is not None:
        if not words:
            parser.error("--out goes with --video or --images")
        _refuse(parser, options, _ONE_ONLY, "goes with one recording, not with --out")
        if options.save_video not in (None, BESIDE):
            parser.error("with --out give --save-video without a name; the videos lie beside the tracks")
        return
    _refuse(parser, options, _MANY_ONLY, "goes with --out DIR only")
    if options.save_video == BESIDE:
        parser.error("--save-video needs the name of a file, such as --save-video hands.mp4")
    if len(words) > 1 or (words and glob.has_magic(words[0]) and not Path(words[0]).exists()):
        parser.error("several recordings need a folder for what comes out: --out DIR")
    options.video, options.images = (Path(given[0]) if given else None for given in (options.video, options.images))


def _refuse(parser: argparse.ArgumentParser, options: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(options, name) not in (None, False, []):
            parser.error(f"--{name.replace('_', '-')} {why}")


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes")
    return int(text)

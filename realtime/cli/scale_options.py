"""The words of the command line for the scale: where depth comes from, and how large the hand is."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Final

from realtime.camera_space.hand_size import (
    LONGEST_MM,
    SHORTEST_MM,
    HandProfile,
    default_profile,
    load_profile,
    save_profile,
)

CALIBRATION_S: Final = 10.0
_NOT_MEASURING: Final = ("save_tracks", "save_video", "profile", "profile_json", "trace", "osc", "websocket")
"""What a run does that `--calibrate-hand` does not: it measures the hand, and no more."""


def add_scale_options(parser: argparse.ArgumentParser) -> None:
    """`--depth`, `--hand-length-mm` and what goes with them."""
    add = parser.add_argument_group("scale").add_argument
    add("--depth", choices=("root", "closed", "fused"), help="where a wrist's depth comes from (root)")
    add("--hand-length-mm", type=_hand_mm, metavar="MM", help="your hand, wrist to middle fingertip; kept for --camera")
    add("--calibrate-hand", type=_distance_mm, metavar="MM", help="measure your hand: hold it so far from the camera")
    add("--profile-file", type=Path, metavar="FILE", help="keep the hand's length there, and take it from there")


def check_scale_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with one line if the words do not go together."""
    if options.calibrate_hand is None:
        return
    if options.hand_length_mm is not None:
        parser.error("--hand-length-mm and --calibrate-hand both tell the hand's length; give one of them")
    if options.out is not None or (options.camera is None and options.profile_file is None):
        parser.error("--calibrate-hand goes with --camera, or with one recording and --profile-file")
    idle = [f"--{name.replace('_', '-')}" for name in _NOT_MEASURING if getattr(options, name)]
    if idle:
        parser.error(f"--calibrate-hand only measures the hand, without {', '.join(idle)}; do that in a second run")


def scale_overrides(options: argparse.Namespace) -> list[str]:
    """Settings from these options and the profile; raises UserError if a profile that is named cannot be read."""
    overrides = [] if options.depth is None else [f"fusion.depth={options.depth}"]
    if options.calibrate_hand is not None:
        return ["fusion.depth=root", "fusion.hand_length_mm=null"]
    length_mm = options.hand_length_mm
    if length_mm is None:
        length_mm = _kept_length(options)
    return overrides if length_mm is None else [*overrides, f"fusion.hand_length_mm={float(length_mm)}"]


def keep_length(options: argparse.Namespace, profile: HandProfile) -> Path | None:
    """Write the profile, where the options want one; its path.

    Raises UserError if it cannot be written, or would replace a file that is no profile.
    """
    path = profile_of(options)
    if path is not None:
        if path.exists():
            load_profile(path)
        save_profile(path, profile)
    return path


def profile_of(options: argparse.Namespace) -> Path | None:
    """The profile of this run: the one that is named, the user's own for a camera, none for a recording."""
    if options.profile_file is not None:
        return Path(options.profile_file)
    return default_profile() if options.camera is not None else None


def _kept_length(options: argparse.Namespace) -> float | None:
    path = profile_of(options)
    if path is None or (options.profile_file is None and not path.exists()):
        return None
    return load_profile(path).hand_length_mm


def _hand_mm(text: str) -> float:
    return _between(text, SHORTEST_MM, LONGEST_MM, "length of a hand")


def _distance_mm(text: str) -> float:
    return _between(text, 150.0, 3000.0, "distance for a hand")


def _between(text: str, low: float, high: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text} is no {what}, {low:g} to {high:g} mm")
    return number

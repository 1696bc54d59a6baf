"""Render exact cameras around a two-hand sequence: a recording with its truth, to try everything else on."""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.errors import UserError
from realtime.command import above_zero
from training.annotation.rigs.layout import LAYOUTS
from training.annotation.workplace import TRUTH, require_no_marks
from training.command import natural, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording, made if it is not there")
    parser.add_argument("--layout", choices=LAYOUTS, default="dome", help="all around, or an arc before the person")
    parser.add_argument("--views", type=_cameras, default=12, help="cameras (12)")
    parser.add_argument("--moments", type=positive, default=40, help="pictures of each camera (40)")
    parser.add_argument("--fps", type=above_zero, default=10.0, help="pictures a second (10)")
    parser.add_argument("--size", default="640x480", help="of the pictures (640x480)")
    parser.add_argument("--seed", type=natural, default=0, help="another person, story and light")
    parser.add_argument("--start-s", type=float, default=1.0, help="when in the story it begins (1)")
    parser.add_argument("--backgrounds", type=Path, help="folder with .hdr panoramas as light")
    parser.add_argument("--sample", action="store_true", help="the sample clip's story instead of a random one")


def _cameras(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError("takes two cameras at least: one tells no distance")
    return number


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    from training.annotation.rigs.rendering import RigPlan, render_rig

    a = arguments
    try:
        width, height = (int(v) for v in a.size.lower().split("x"))
    except ValueError as error:
        raise UserError(f"--size {a.size}: write it as WIDTHxHEIGHT, such as 640x480") from error
    require_no_marks(a.folder)
    plan = RigPlan(a.layout, a.views, a.moments, a.fps, a.seed, (width, height), a.backgrounds, a.sample, a.start_s)
    render_rig(a.folder, plan)
    print(f"written     {a.folder}, with the truth in {TRUTH}; next: python -m training.annotation label {a.folder}")

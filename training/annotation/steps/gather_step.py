"""Put videos and a file of cameras together as a recording, in a folder in which all further steps work."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.annotation.recordings.gather import gather
from training.annotation.workplace import require_no_marks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording, made if it is not there")
    parser.add_argument(
        "--cameras", type=Path, required=True, help="TOML of aniposelib, Pose2Sim, Caliscope or FreeMoCap"
    )
    parser.add_argument("--videos", type=Path, nargs="+", required=True, help="one for each camera, in its order")
    parser.add_argument("--unit", help="mm, cm, m, inch or mm as a number: what the cameras' lengths are in")
    parser.add_argument("--timestamps", type=Path, help="csv with sync_index, cam_id, frame_index, frame_time")
    parser.add_argument("--offsets", nargs="+", default=[], help="seconds at which each video began, or auto")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    require_no_marks(a.folder)
    recording = gather(a.folder, a.cameras, a.videos, a.unit, a.timestamps, a.offsets)
    whole = (recording.frames >= 0).all(axis=1)
    rate = 1 / float(np.median(np.diff(recording.t_s))) if len(recording.t_s) > 1 else 0.0
    pairs = zip(recording.names, recording.videos, strict=True)
    print(f"cameras     {', '.join(f'{name} ({video.name})' for name, video in pairs)}")
    print(f"moments     {len(whole)} at {rate:.1f} a second, {int((~whole).sum())} of them not in all cameras")
    print(f"written     {a.folder}; next: python -m training.annotation label {a.folder}")

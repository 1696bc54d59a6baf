"""Several cameras at once: videos, the time of every picture, and what was dropped; Ctrl-C ends."""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.errors import UserError
from realtime.command import above_zero
from realtime.layers import load_settings
from training.annotation.cameras.files import load_cameras
from training.annotation.recordings.record import TIMESTAMPS, record, summary
from training.annotation.recordings.recording import Recording, check_picture_size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording, made if it is not there")
    parser.add_argument("--camera", nargs="+", required=True, help="numbers, devices or addresses: --camera 0 2")
    parser.add_argument("--cameras", type=Path, help="what calibrate wrote, in the order of --camera")
    parser.add_argument("--seconds", type=above_zero, help="stop after so long")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="such as camera.width=1280")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    if len(set(a.camera)) != len(a.camera):
        raise UserError(f"--camera {' '.join(a.camera)}: names one camera twice")
    rig = load_cameras(a.cameras) if a.cameras else None
    if rig is not None and len(rig) != len(a.camera):
        raise UserError(
            f"{a.cameras}: holds {len(rig)} cameras, --camera names {len(a.camera)}; one for each is needed"
        )
    logs, moments = record(a.folder, a.camera, load_settings(None, a.set).camera, a.seconds)
    print(summary(logs, moments))
    if rig is None:
        print(f"written     {a.folder}; {TIMESTAMPS} tells which pictures belong together")
        return
    for camera, log in zip(rig, logs, strict=True):
        check_picture_size(camera.name, camera.size_px, log.size_px)
    videos = tuple(a.folder / f"{log.name}.mp4" for log in logs)
    Recording(a.folder, rig, videos, moments.frames, moments.t_s).save()
    print(f"written     {a.folder}; next: python -m training.annotation label {a.folder}")

"""Joints in every picture of every camera; a run that was stopped goes on where it was."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.annotation.detect import DETECTORS, detect, open_network, open_reader
from training.annotation.recordings.recording import load_recording
from training.annotation.triangulation.hands import load_hands
from training.annotation.workplace import HANDS, detections_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording")
    add_detector_arguments(parser)
    parser.add_argument("--guided", action="store_true", help="look where the triangulated hands are, in every view")


def add_detector_arguments(parser: argparse.ArgumentParser) -> None:
    """Which detector, shared with `label`."""
    parser.add_argument(
        "--detector",
        default="both",
        help=f"{', '.join(DETECTORS)} (both: lite and MediaPipe's landmarks, the best that ships), or weights of train",
    )
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="a setting of the tracker")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    recording = load_recording(a.folder)
    guide = load_hands(a.folder / HANDS) if a.guided else None
    backend = open_network(a.set)
    detect(
        recording, detections_folder(a.folder, a.detector, a.guided), open_reader(a.detector, backend), backend, guide
    )
    print(f"next: python -m training.annotation triangulate {a.folder}")

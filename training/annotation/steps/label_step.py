"""The machine's whole part: detect, triangulate, look again in every view where the hands must be, triangulate."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.annotation.detect import detect, open_network, open_reader
from training.annotation.recordings.recording import load_recording
from training.annotation.steps.detect_step import add_detector_arguments
from training.annotation.steps.triangulate_step import add_solver_arguments, settings_of, triangulate, with_delays
from training.annotation.triangulation.observations import observe
from training.annotation.triangulation.solve import solve
from training.annotation.workplace import detections_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording")
    add_detector_arguments(parser)
    add_solver_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    recording = load_recording(a.folder)
    backend = open_network(a.set)
    reader = open_reader(a.detector, backend)
    found = detect(recording, detections_folder(a.folder, a.detector, False), reader, backend, None)
    seen = observe(recording.rig, found, recording.frames)
    first = solve(seen, recording.t_s, with_delays(settings_of(a), seen, recording, a.delays))
    print(f"triangulate {int(first.hands.accepted.sum())} joints; looking again where hands must be")
    again = detections_folder(a.folder, a.detector, True)
    detect(recording, again, reader, backend, first.hands)
    triangulate(recording, again, settings_of(a), a.pictures, a.delays)
    print(f"next: python -m training.annotation correct {a.folder}")

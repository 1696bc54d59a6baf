"""A set to train on: InterHand2.6M's layout for the paper's networks, or crops for lite."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from engines.errors import UserError
from training.annotation.export.interhand_layout import export_interhand
from training.annotation.export.shards import export_shards
from training.annotation.recordings.recording import load_recording
from training.annotation.triangulation.hands import load_hands
from training.annotation.workplace import labelled_hands
from training.command import positive, share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording")
    parser.add_argument(
        "--form", choices=("interhand", "shards"), default="interhand", help="for the paper's networks, or lite"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the set; several recordings may share it")
    parser.add_argument(
        "--validation", type=share, default=0.2, help="share of the moments, the last ones, held out (0.2)"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), help="interhand: all moments into this split")
    parser.add_argument("--every", type=positive, default=1, help="take every so manieth moment (1)")
    parser.add_argument("--hands", type=Path, help="hands to export (the recording's own, with all marks)")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    recording = load_recording(a.folder)
    hands = load_hands(a.hands) if a.hands else labelled_hands(recording)
    if not hands.accepted.any():
        raise UserError(f"{a.folder}: no joint was accepted, so there is nothing to export")
    moments = np.arange(len(hands.t_s))
    held_out = moments >= round(len(moments) * (1 - a.validation))
    taken = moments % a.every == 0
    if a.form == "shards":
        name = a.folder.resolve().name
        counts = [
            export_shards(recording, hands, a.out, part, taken & which)
            for part, which in ((name, ~held_out), (f"{name}-held", held_out))
            if which.any()
        ]
        print(f"written     {a.out}: {counts[0]} crops to train on, {sum(counts[1:])} held out")
        return
    splits = [("train", ~held_out), ("val", held_out)] if a.split is None else [(a.split, np.ones(len(moments), bool))]
    done = export_interhand(recording, hands, a.out, [s for s in splits if s[1].any()], a.every)
    told = ", ".join(f"{count} pictures in {name}" for name, count in done.pictures.items())
    print(f"written     {a.out}: {told}; {done.moments} moments, {done.left_out} left out as unsure or empty")

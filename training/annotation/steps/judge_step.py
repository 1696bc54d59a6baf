"""The single-camera tracker in each camera's video against the triangulated hands: real millimetres, hand by hand."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from engines.errors import UserError
from realtime.camera_space.bone_lengths import hand_length
from realtime.engine import backend_of
from realtime.layers import load_settings
from training.annotation.accuracy.judge import judge_view, pooled, summary, table
from training.annotation.recordings.recording import load_recording, write_text
from training.annotation.triangulation.hands import NOT_SEEN, Hands, load_hands
from training.annotation.triangulation.solve import bone_statistics
from training.annotation.workplace import labelled_hands
from training.json_numbers import without_nan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording")
    parser.add_argument("--truth", type=Path, help="hands to judge against (the recording's own, with all marks)")
    parser.add_argument("--known-size", action="store_true", help="tell the tracker the hands' triangulated length")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="change a setting")
    parser.add_argument(
        "--moments", metavar="A-B", help="only these, counted from 0, such as 0-69 (all): parts of a recording differ"
    )
    parser.add_argument("--json", type=Path, help="write the figures there (judge.json in the folder)")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    recording = load_recording(a.folder)
    truth = load_hands(a.truth) if a.truth else labelled_hands(recording)
    medians, _ = bone_statistics(truth.labelled_mm)
    lengths = [hand_length(row) for row in medians]
    length = max((v for v in lengths if np.isfinite(v)), default=None)
    told = [f"fusion.hand_length_mm={length:.1f}"] if a.known_size and length else []
    truth = only_moments(truth, a.moments) if a.moments else truth
    settings = load_settings(None, [*told, *a.set])
    backend = backend_of(settings, print)
    parts = {}
    for view, name in enumerate(recording.names):
        parts[name] = judge_view(recording, view, truth, backend, settings)
        print(f"judged      {name}", flush=True)
    rows = {name: summary(part) for name, part in parts.items()} | {"all": summary(pooled(list(parts.values())))}
    print(table(rows))
    write_text(a.json or a.folder / "judge.json", json.dumps(without_nan(rows), indent=2) + "\n")


def only_moments(truth: Hands, words: str) -> Hands:
    """Hands of which nothing is known outside some moments; raises UserError if the words name none."""
    first, _, last = words.partition("-")
    count = len(truth.t_s)
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < count):
        raise UserError(f"--moments {words}: write it as FIRST-LAST, numbers from 0 to {count - 1}")
    outside = np.ones(count, bool)
    outside[int(first) : int(last) + 1] = False
    return replace(truth, reason=np.where(outside[:, None], NOT_SEEN, truth.reason).astype(np.int8))

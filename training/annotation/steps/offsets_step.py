"""Measure what the detectors take for a joint, on rendered hands: do it again when `lite` has new weights."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import JOINT_NAMES
from training.annotation.accuracy.meanings import measure
from training.annotation.detect import open_network
from training.annotation.detection.offsets import MEASURED
from training.annotation.detection.readers import LiteReader, MediaPipeReader, Reader
from training.annotation.recordings.recording import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("bank", type=Path, help="folder of rendered shards (python -m training.synth)")
    parser.add_argument("--shards", nargs="+", default=["000"], help="which of them; best held out from training (000)")
    parser.add_argument("--output", type=Path, default=MEASURED, help="where the table goes (the one that is used)")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="a setting of the tracker")


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    a = arguments
    readers: dict[str, Reader] = {"lite": LiteReader(open_network(a.set)), "mediapipe": MediaPipeReader()}
    with tempfile.TemporaryDirectory() as cache:
        found = measure(readers, a.bank, a.shards, Path(cache))
    print(f"{'':10}" + "".join(f"{name + ': thumbwards, up, palmwards':>36}" for name in found))
    for joint, joint_name in enumerate(JOINT_NAMES):
        words = ["".join(f"{100 * v:+9.1f}" for v in one.offsets[joint]) for one in found.values()]
        print(f"{joint_name:10}" + "".join(f"{word:>36}" for word in words))
    for name, one in found.items():
        without = f"by {one.after_px:.2f} without these offsets"
        print(f"{name:10} {one.hands} hands, off by {one.before_px:.2f} px of 256; {without}")
    write_text(a.output, file_text({name: one.offsets for name, one in found.items()}))
    print(f"written     {a.output}")


def file_text(tables: dict[str, NDArray[np.float64]]) -> str:
    """JSON with a line for each joint, so that one sees what changes."""
    parts = ['  "unit": "percent of the palm, wrist to middle knuckle: thumbwards, to the fingers, out of the palm"']
    for name, table in tables.items():
        shares = [[round(100 * float(v), 2) for v in row] for row in table]
        rows = [f'    "{joint}": {row}' for joint, row in zip(JOINT_NAMES, shares, strict=True)]
        parts.append(f'  "{name}": {{\n' + ",\n".join(rows) + "\n  }")
    return "{\n" + ",\n".join(parts) + "\n}\n"

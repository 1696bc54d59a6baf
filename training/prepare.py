"""Where to get a data set, and whether a folder holds it: `python -m training.prepare --dataset NAME [--root DIR]`.

Without a folder it says where the set comes from, on what terms, and how the folder must look. With one it reads all
labels and a sample of the pictures and prints counts; `--sheet FILE.png` draws the labels over pictures: LOOK at it
before training on the set. Nothing is fetched: every set has terms that a person has to agree to.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser
from training.command import positive
from training.datasets.interhand.interhand26m import SUBSETS
from training.datasets.sample import LabelledSample, read_picture
from training.evaluation.pictures import labels_sheet
from training.registry import DATA_SETS, DataSet, data_set, load_split


@dataclass(frozen=True)
class Counts:
    """What a split of a data set holds."""

    samples: int
    interacting: int
    right: int
    left: int
    unknown_side: int
    joints_3d: int
    joints_2d: int
    sequences: int
    pictures_read: int
    joints_outside: float
    """Share of the 2D joints outside the pictures that were read: above a few per cent something is amiss."""


def count(samples: Sequence[LabelledSample], pictures: int) -> Counts:
    """Go through all labels and, evenly picked, through some pictures; raises UserError for a damaged file."""
    tally: Counter[str] = Counter()
    sequences = set()
    for sample in samples:
        known = sample.handedness_known
        tally["interacting"] += sample.interacting
        tally["right"] += bool(known and sample.hand_present[0])
        tally["left"] += bool(known and sample.hand_present[1])
        tally["unknown"] += not known
        tally["3d"] += int(sample.joint_cam_valid.sum())
        tally["2d"] += int(sample.joint_px_valid.sum())
        sequences.add((sample.capture, sample.sequence))
    picked = [samples[int(i)] for i in np.linspace(0, len(samples) - 1, min(pictures, len(samples)))]
    return Counts(
        samples=len(samples),
        interacting=tally["interacting"],
        right=tally["right"],
        left=tally["left"],
        unknown_side=tally["unknown"],
        joints_3d=tally["3d"],
        joints_2d=tally["2d"],
        sequences=len(sequences),
        pictures_read=len(picked),
        joints_outside=float(np.mean(np.concatenate([_outside(sample) for sample in picked]))) if picked else 0.0,
    )


def _outside(sample: LabelledSample) -> np.ndarray:
    """Whether each labelled joint lies outside the picture; reads it."""
    height, width = read_picture(sample.picture).shape[:2]
    joints = sample.joints_px[sample.joint_px_valid]
    return ((joints < -0.5) | (joints > [width - 0.5, height - 0.5])).any(axis=1)


def describe(name: str, known: DataSet) -> str:
    """What to fetch, the terms, the folder."""
    return (
        f"{name}: {known.title}\n  from     {known.source}\n  licence  {known.licence}\n"
        f"  splits   {', '.join(known.splits)}\n  folder   {known.layout}"
    )


def check(name: str, root: Path, splits: Sequence[str], subset: str, pictures: int, sheet: Path | None) -> None:
    """Read a folder, print its counts, draw a sheet of the first split; raises UserError for what is missing."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    for split in splits:
        samples = load_split(name, root, split, subset)
        if not len(samples):
            raise UserError(f"{root}: the {split} split of {name} is empty")
        counts = count(samples, pictures)
        print(f"{split}: {counts.samples} samples ({counts.interacting} interacting), right hands {counts.right}, left")
        print(f"  hands {counts.left}, side not told {counts.unknown_side}, {counts.sequences} sequences,")
        print(f"  {counts.joints_3d} joints in 3D, {counts.joints_2d} in 2D; {counts.pictures_read} pictures read,")
        print(f"  {100 * counts.joints_outside:.1f} % of their joints outside")
        if sheet is not None:
            labels_sheet(samples, sheet)
            print(f"  labels drawn into {sheet}: blue right, orange left, white not told, dots at the tips")
            sheet = None


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.prepare", __doc__)
    parser.add_argument("--dataset", choices=tuple(DATA_SETS), help="one data set instead of all")
    parser.add_argument("--root", type=Path, help="folder of the data set, to check it")
    parser.add_argument("--split", action="append", help="check this split only (may be given again)")
    parser.add_argument("--subset", default="all", choices=SUBSETS, help="InterHand2.6M: which annotations")
    parser.add_argument("--pictures", type=positive, default=200, help="how many pictures of a split to read")
    parser.add_argument("--sheet", type=Path, help="draw labels over pictures of the first split into this PNG")
    arguments = parser.parse_args(argv)
    names = [arguments.dataset] if arguments.dataset else list(DATA_SETS)
    try:
        if arguments.root is None:
            print("\n\n".join(describe(name, data_set(name)) for name in names))
            return 0
        if arguments.dataset is None:
            raise UserError("--root needs --dataset: which data set is in the folder?")
        name = arguments.dataset
        print(describe(name, data_set(name)))
        splits = arguments.split or data_set(name).splits
        check(name, arguments.root, splits, arguments.subset, arguments.pictures, arguments.sheet)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

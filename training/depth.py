"""Compare the ways to a wrist's absolute depth: `python -m training.depth [--dataset webcam --root DIR]`.

RootNet's factor, the closed form of `realtime.camera_space.closed_form` and both fused; each without the hand's length,
with it, and (where all pictures are of one person) with the length that `--calibrate-hand` would find. It looks
in turned crops, as the tracker does. docs/calibration.md says what came out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.second_look import looking_twice
from engines.terminal import command
from realtime.command import CommandParser
from training.command import positive
from training.datasets.sample import LabelledSample
from training.datasets.synthetic import on_photographs
from training.evaluate import WEBCAM
from training.evaluation.look import look, turned_crops
from training.evaluation.report import even_rows
from training.evaluation.wrist_depths import DepthFigures, compare, seen_hands
from training.registry import DATA_SETS, load_split

_HEAD = f"{'':22}{'hands':>7}{'bias':>9}{'spread':>9}{'rms':>9}{'mean':>10}{'median':>10}{'rms/sigma':>11}"


def table(rows: Mapping[str, DepthFigures]) -> str:
    """The figures, shares in per cent."""
    return "\n".join([_HEAD, *(_line(name, row) for name, row in rows.items())])


def _line(name: str, row: DepthFigures) -> str:
    shares = "".join(f"{100 * value:8.1f}%" for value in (row.bias, row.spread, row.rms))
    return f"{name:22}{row.hands:7d}{shares}{row.mean_mm:7.1f} mm{row.median_mm:7.1f} mm{row.per_sigma:11.2f}"


def run(arguments: argparse.Namespace) -> None:
    """Read, look, compare, print. Raises UserError."""
    samples = _samples(arguments)
    backend = looking_twice(open_backend(EngineRequest(weights=arguments.weights), print), "lite")
    upright = look(backend, samples, [sample.crop() for sample in samples], "upright crop")
    crops = turned_crops(samples, upright)
    hands = seen_hands(samples, look(backend, samples, crops, "turned crop"), crops)
    if len(hands) < 2:
        raise UserError("no hands there whose wrists have a known depth")
    rows = compare(hands, arguments.dataset == "webcam")
    print(table(rows))
    if arguments.json is not None:
        write_json(arguments.json, rows)


def write_json(path: Path, rows: Mapping[str, DepthFigures]) -> None:
    """The figures as a file; raises UserError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: asdict(row) for name, row in rows.items()}, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"{path}: the figures cannot be written ({error.strerror})") from error


def _samples(arguments: argparse.Namespace) -> Sequence[LabelledSample]:
    root = arguments.root or (WEBCAM if arguments.dataset == "webcam" else None)
    if root is None:
        raise UserError(f"--dataset {arguments.dataset} needs --root, the folder of the data set")
    samples = load_split(arguments.dataset, root, arguments.split, "all")
    rows = even_rows(len(samples), arguments.limit or len(samples))
    chosen = [samples[i] for i in rows]
    return chosen if arguments.backgrounds is None else on_photographs(chosen, arguments.backgrounds)


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.depth", __doc__)
    parser.add_argument("--dataset", default="webcam", choices=tuple(DATA_SETS), help="one with 3D labels")
    parser.add_argument("--root", type=Path, help="folder of the data set")
    parser.add_argument("--split", default="test", help="for synthetic: numbers of shards, or all")
    parser.add_argument("--limit", type=positive, help="judge on so many samples only, evenly picked")
    parser.add_argument("--backgrounds", type=Path, help="synthetic: photographs to lay the cut-out hands on")
    parser.add_argument("--weights", type=Path, help="weights to judge instead of the shipped ones")
    parser.add_argument("--json", type=Path, help="write the figures there")
    try:
        run(parser.parse_args(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

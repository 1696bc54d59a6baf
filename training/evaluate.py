"""Judge hands on a labelled data set: `python -m training.evaluate --dataset webcam --root DIR [--report DIR]`.

A network looks at each hand twice: once in the upright crop of its labelled box, as the paper does, and once in a crop
turned by the first answer, as the tracker does from its second frame on. Anyone's results are judged with
`--predictions FILE.npz`; docs/evaluation.md says what that file holds and how each figure is computed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from engines.backends.opening import open_backend
from engines.contract import Backend, BackendName, EngineRequest, Precision
from engines.errors import UserError
from engines.geometry.crop import Crop
from engines.presets import SPECS
from engines.second_look import Looks, looking_twice
from engines.terminal import command
from realtime.command import CommandParser
from training.datasets.interhand.interhand26m import SUBSETS
from training.datasets.sample import LabelledSample
from training.datasets.synthetic import balanced, on_photographs
from training.evaluation.errors import labelled_hands, measure
from training.evaluation.figures import figures, reliability_of
from training.evaluation.look import look, turned_crops
from training.evaluation.predictions import Predictions, aligned_with, load_predictions, save_predictions
from training.evaluation.report import Run, even_rows, mode_table, reliability_table, sheet_of, table, write_report
from training.evaluation.root_depth import RootDepths, root_depths, with_absolute_left_root
from training.registry import DATA_SETS, data_set, load_split

WEBCAM = Path("../shared/data/eval/webcam_left_hand")


def judge_network(
    backend: Backend, samples: Sequence[LabelledSample], depths: RootDepths, absolute_left: bool = False
) -> list[Run]:
    """The first look in upright crops and the second in turned ones."""
    crops = depths.crops(samples)
    first = look(backend, samples, crops, "upright crop")
    turned = turned_crops(samples, first)
    second = look(backend, samples, turned, "turned crop")
    return [
        judge("upright crop", samples, first, crops, depths, absolute_left),
        judge("turned crop", samples, second, turned, depths, absolute_left),
    ]


def judge_predictions(
    predictions: Predictions, samples: Sequence[LabelledSample], depths: RootDepths, absolute_left: bool = False
) -> list[Run]:
    """What someone's file says; raises UserError if it lacks a sample."""
    ids = [samples[i].annotation_id for i in range(len(samples))]
    found = aligned_with(predictions, ids)
    return [judge("predictions", samples, found, depths.crops(samples), depths, absolute_left)]


def judge(
    name: str,
    samples: Sequence[LabelledSample],
    found: Predictions,
    crops: Sequence[Crop],
    depths: RootDepths,
    absolute_left: bool = False,
) -> Run:
    """Errors and figures of answers in the order of the samples; see `with_absolute_left_root`."""
    if absolute_left:
        found = with_absolute_left_root(found, depths)
    errors = measure(samples, found, crops, depths.depths_mm(found))
    return Run(name, found, errors, figures(errors, labelled_hands(samples)), reliability_of(errors))


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Read, judge, print, write what was asked for; raises UserError."""
    name, split = arguments.dataset, arguments.split or _only_split(arguments.dataset)
    root = arguments.root or _default_root(name)
    samples = _limited(_chosen(arguments, load_split(name, root, split, arguments.subset)), arguments.limit)
    depths = root_depths(arguments.root_depth, root, split, samples)
    absolute_left = arguments.left_root == "absolute"
    if arguments.predictions:
        runs = judge_predictions(load_predictions(arguments.predictions), samples, depths, absolute_left)
    else:
        runs = judge_network(_backend(arguments), samples, depths, absolute_left)
    print(table(runs))
    if arguments.by == "mode":
        print(f"\n{runs[-1].name}\n{mode_table(runs[-1], [samples[i].mode for i in range(len(samples))])}")
    for each in runs:
        if sum(each.reliability.joints):
            print(f"\nreliability, {each.name}\n{reliability_table(each.reliability)}")
    _write(arguments, samples, runs, f"{name}, {split}")


def _write(arguments: argparse.Namespace, samples: Sequence[LabelledSample], runs: list[Run], title: str) -> None:
    if arguments.json:
        _write_json(arguments.json, runs)
    if arguments.sheet:
        sheet_of(samples, runs[-1], even_rows(len(samples)), arguments.sheet)
    if arguments.save_predictions:
        save_predictions(runs[0].found, arguments.save_predictions)
    if arguments.report:
        by = arguments.predictions or arguments.weights or f"the shipped weights of {arguments.preset}"
        settings = {
            "data set": arguments.dataset,
            "subset": arguments.subset,
            "samples": str(len(samples)),
            "judged": str(by),
            "absolute depth of the wrists": arguments.root_depth,
            "left wrist in MRRPE": "z(R->L)" if arguments.left_root == "relative" else "its own absolute depth",
        }
        write_report(arguments.report, f"Evaluation: {title}", settings, samples, runs)
        print(f"\nreport in {arguments.report / 'report.md'}")


def _write_json(path: Path, runs: list[Run]) -> None:
    content = {
        each.name.removesuffix(" crop"): _without_nan({**asdict(each.figures), "reliability": asdict(each.reliability)})
        for each in runs
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise UserError(f"{path}: the figures cannot be written ({error.strerror})") from error


def _without_nan(tree: object) -> object:
    """JSON has no NaN: null."""
    if isinstance(tree, dict):
        return {key: _without_nan(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_without_nan(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _backend(arguments: argparse.Namespace) -> Backend:
    request = EngineRequest(
        preset=arguments.preset,
        weights=arguments.weights,
        backend=arguments.engine,
        precision=arguments.precision,
        witness=arguments.witness,
    )
    return looking_twice(open_backend(request, print), arguments.preset, arguments.looks)


def _chosen(arguments: argparse.Namespace, samples: Sequence[LabelledSample]) -> Sequence[LabelledSample]:
    """As many of each kind as asked for, on photographs if there are any."""
    if arguments.each:
        samples = balanced(samples, arguments.each)
    if arguments.backgrounds is None:
        return samples
    if arguments.dataset != "synthetic":
        raise UserError(f"--backgrounds is for --dataset synthetic; the pictures of {arguments.dataset} have their own")
    return on_photographs(samples, arguments.backgrounds)


def _limited(samples: Sequence[LabelledSample], limit: int | None) -> Sequence[LabelledSample]:
    if not len(samples):
        raise UserError("the data set is empty there")
    return samples if limit is None else [samples[i] for i in even_rows(len(samples), max(1, limit))]


def _only_split(name: str) -> str:
    splits = data_set(name).splits
    return "test" if "test" in splits else splits[-1]


def _default_root(name: str) -> Path:
    if name == "webcam":
        return WEBCAM
    raise UserError(f"--dataset {name} needs --root, the folder of the data set; see python -m training.prepare")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("python -m training.evaluate", __doc__)
    parser.add_argument("--dataset", default="webcam", choices=tuple(DATA_SETS), help="what to judge on")
    parser.add_argument("--root", type=Path, help="folder of the data set")
    parser.add_argument("--split", help="test, unless the set has none")
    parser.add_argument("--subset", default="all", choices=SUBSETS, help="InterHand2.6M: H+M, H or M")
    parser.add_argument("--each", type=int, help="judge on the first so many with one hand and so many with both")
    parser.add_argument("--by", choices=("mode",), help="synthetic: also a line for each way in which hands meet")
    parser.add_argument("--backgrounds", type=Path, help="synthetic: photographs to lay the cut-out hands on")
    parser.add_argument("--limit", type=int, help="judge on so many samples only, evenly picked")
    parser.add_argument(
        "--root-depth",
        default="gt",
        metavar="gt|rootnet|own|FILE",
        help="absolute depth of the wrists: the labels', the data set's published RootNet output, the network's own, "
        "or another file of RootNet's output",
    )
    parser.add_argument(
        "--left-root",
        default="relative",
        choices=("relative", "absolute"),
        help="the left wrist in MRRPE: from z(R->L), or from its own absolute depth, as in the paper's ablation",
    )
    parser.add_argument("--predictions", type=Path, metavar="FILE.npz", help="judge this file instead of a network")
    parser.add_argument("--weights", type=Path, help="weights to judge instead of the shipped ones")
    parser.add_argument("--preset", default="lite", choices=sorted(SPECS), help="which network")
    parser.add_argument("--engine", default="auto", choices=get_args(BackendName))
    parser.add_argument("--precision", default="auto", choices=get_args(Precision))
    parser.add_argument(
        "--looks",
        default="auto",
        choices=get_args(Looks),
        help="lite: when to look a second time, as engine.second_look",
    )
    parser.add_argument(
        "--one-look", dest="looks", action="store_const", const="never", help="the same as --looks never"
    )
    parser.add_argument(
        "--no-witness", dest="witness", action="store_false", help="lite: without the second opinion on single hands"
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write tables and pictures there")
    parser.add_argument("--sheet", type=Path, help="write a picture of found and labelled joints there")
    parser.add_argument(
        "--save-predictions", type=Path, metavar="FILE.npz", help="write what was found, upright crops, to judge again"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

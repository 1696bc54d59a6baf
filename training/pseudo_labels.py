"""Label pictures of real hands by machine: `python -m training.pseudo_labels --pictures DIR|VIDEO ... --out DIR`.

Two witnesses look at every hand that is found: MediaPipe's landmark network and ours, each straight and mirrored. Where
all agree their mean is the label, depths too. What comes out trains `lite` beside rendered hands (`kind: real` under
data.banks in the settings). It may be stopped and started again; with better weights a second round labels better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.files import file_sha256
from engines.presets import DEFAULT_WEIGHTS
from engines.second_look import SecondLook
from engines.terminal import command
from realtime.command import CommandParser, above_zero
from training.command import exit_code
from training.pseudo.agreement import Limits
from training.pseudo.labelling import Labeller
from training.pseudo.pictures import PictureSet, contents_of, count_of, picture_sets, pictures_of
from training.pseudo.sets import LabelBank

PART = 512
"""Pictures of a part: what a stopped run does anew at most."""


def label_set(source: PictureSet, bank: LabelBank, labeller: Labeller, first: int, every_s: float) -> None:
    """Label the pictures of a set from part `first` on, part by part."""
    pictures = pictures_of(source, every_s, first * PART)
    total = count_of(source, every_s)
    with tqdm(desc=source.name, total=total, initial=first * PART, unit="picture", disable=None) as progress:
        while True:
            labeller.rejected = Counter()
            rows, looked_at = [], 0
            for _, image in islice(pictures, PART):
                looked_at += 1
                progress.update()
                if image is None:
                    labeller.rejected["damaged picture"] += 1
                else:
                    rows += labeller(image)
            if looked_at:
                bank.write(source.name, rows, looked_at, labeller.rejected)
            if looked_at < PART:
                return


def label(arguments: argparse.Namespace) -> None:
    """Label all sets, and say what became of each; raises UserError if there is no hand in any of them."""
    sets = picture_sets(arguments.pictures)
    bank = LabelBank(arguments.out)
    weights = arguments.weights or DEFAULT_WEIGHTS["lite"]
    limits = Limits(side_px=arguments.least_side_px)
    backend = open_backend(EngineRequest(weights=weights, witness=False), partial(print, file=sys.stderr))
    labeller = Labeller(SecondLook(backend), limits)
    hands = 0
    for source in sets:
        facts = {
            "source": arguments.source or str(source.source.name),
            "licence": arguments.licence,
            "contents": contents_of(source),
            "every_s": arguments.every if source.is_video else None,
            "weights": file_sha256(weights),
            "limits": json.loads(json.dumps(vars(limits))),
        }
        label_set(source, bank, labeller, bank.begin(source.name, facts), arguments.every)
        hands += _tell(source, bank)
    if not hands:
        raise UserError("no hand was labelled; are there hands of 40 px and more, seen whole and sharp?")


def _tell(source: PictureSet, bank: LabelBank) -> int:
    pictures, hands, rejected = bank.totals(source.name)
    print(f"{source.name}: {hands} hands labelled in {pictures} pictures")
    for reason, count in rejected.most_common():
        print(f"  {count:6} {reason}")
    return hands


def parser() -> argparse.ArgumentParser:
    """The words of the command."""
    words = CommandParser("python -m training.pseudo_labels", __doc__)
    add = words.add_argument
    add("--pictures", type=Path, nargs="+", required=True, metavar="DIR|VIDEO", help="pictures, or a video: a set each")
    add("--out", type=Path, required=True, metavar="DIR", help="where the labelled sets go")
    add("--weights", type=Path, help="our witness (the weights that ship)")
    add("--every", type=above_zero, default=0.5, metavar="S", help="seconds between the frames of a video (0.5)")
    add("--least-side-px", type=above_zero, default=Limits().side_px, help="side of the smallest crop taken (60)")
    add("--source", default="", help="where the pictures are from, for bank.json (the folder's name)")
    add("--licence", default="not stated", help="on what terms, for bank.json; weights that are shipped must name it")
    return words


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = parser().parse_args(argv)
    return exit_code(lambda: label(arguments))


if __name__ == "__main__":
    sys.exit(main())

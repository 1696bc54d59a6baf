"""Compose pairs of real hands: `python -m training.composed_pairs --sets DIR --out DIR --count N`.

No machine can label photographs of hands that cover each other, but it can label one hand. So one hand is cut out of
its photograph and laid over, under or between the fingers of another: skin, light and cameras are real, and it is known
where everything is. What comes out trains `lite` (`kind: real` under data.banks in the settings); how one wrist lies
before the other stays unknown. It may be stopped and started again.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.errors import UserError
from engines.files import file_sha256
from engines.terminal import command
from realtime.command import CommandParser
from training.banks.banks import whole_shards
from training.banks.real_bank import STORED_PX, RealBank, load_real
from training.command import exit_code, natural, positive
from training.composed.arrangements import arrangements
from training.composed.draws import AsRendered, AtRandom, Draw
from training.pseudo.labelling import Labelled
from training.pseudo.sets import LabelBank

PART: Final = 500
"""Pairs of a part: what a stopped run does anew at most."""
_MISSES: Final = 500
"""In a row: these hands will never fit."""


@dataclass(frozen=True)
class Order:
    """What is to be composed, and where it goes."""

    sets: Path
    """Folder of sets of real hands."""
    names: tuple[str, ...]
    """The sets of it that are used."""
    out: Path
    count: int
    """Pairs, rounded up to whole parts."""
    cache: Path
    """Folder of decoded pictures."""
    meetings: Path | None = None
    """Folder of rendered pairs, as whose hands they are laid; None: at random."""
    name: str = "composed"
    seed: int = 0
    licence: str = "not stated"
    part: int = PART


def compose(order: Order) -> int:
    """Write the parts that are not there yet, and say how many pairs there are now.

    Raises UserError if there are no two hands, or `out` holds pairs of another order.
    """
    banks = [load_real(order.sets, name, STORED_PX, order.cache) for name in order.names]
    alone = [rows_of_one_hand(bank) for bank in banks]
    if sum(len(rows) for rows in alone) < 2:
        raise UserError(f"{order.sets}: two pictures of one hand each are needed, known to show no other one")
    out = LabelBank(order.out)
    facts: dict[str, Any] = {
        "source": list(order.names),
        "licence": order.licence,
        "seed": order.seed,
        "part": order.part,
        "meetings": _labels_in(order.meetings) if order.meetings else None,
    }
    draw: Draw = AtRandom(banks, alone)
    if order.meetings is not None:
        draw = AsRendered(banks, alone, arrangements(order.meetings))
    first, parts = out.begin(order.name, facts), -(-order.count // order.part)
    with tqdm(total=parts * order.part, initial=first * order.part, unit="pair", disable=None) as progress:
        for part in range(first, parts):
            rng = np.random.default_rng([order.seed, part])
            rejected: Counter[str] = Counter()
            rows = []
            for pair in itertools.islice(_pairs(draw, rng, rejected), order.part):
                rows.append(pair)
                progress.update()
            out.write(order.name, rows, len(rows) + rejected.total(), rejected)
    tried, made, why = out.totals(order.name)
    print(f"{order.name}: {made} pairs, {tried} tried")
    for reason, count in why.most_common():
        print(f"  {count:6} {reason}")
    return made


def _labels_in(root: Path) -> dict[str, str]:
    """Names of rendered shards, and what their labels are: other meetings under the same names are others."""
    return {name: file_sha256(root / f"shard-{name}.npz")[:12] for name in whole_shards(root, "rendered")}


def rows_of_one_hand(bank: RealBank) -> NDArray[np.int64]:
    """Rows that show one hand, and no other one for sure."""
    return np.nonzero((bank.hand_present.sum(1) == 1) & bank.hand_known.all(1))[0]


def _names(root: Path, left_out: list[str]) -> list[str]:
    found = whole_shards(root, "real")
    unknown = sorted(set(left_out) - set(found))
    if unknown:
        raise UserError(
            f"--leave-out {' '.join(unknown)}: no such set in {root}; there are {', '.join(found) or 'none'}"
        )
    kept = [name for name in found if name not in left_out]
    if not kept:
        raise UserError(f"--sets {root}: no set of real hands there; make one with training.pseudo_labels")
    return kept


def _pairs(draw: Draw, rng: np.random.Generator, rejected: Counter[str]) -> Iterator[Labelled]:
    """Pairs of two drawn hands; ends only where they will not fit."""
    misses = 0
    while misses < _MISSES:
        pair = draw(rng)
        if isinstance(pair, str):
            rejected[pair] += 1
            misses += 1
        else:
            misses = 0
            yield pair


def _set_name(text: str) -> str:
    """The name of a set's files, as argparse wants it: no folder."""
    if not text or Path(text).name != text:
        raise argparse.ArgumentTypeError("must be a plain name, as files have it")
    return text


def parser() -> argparse.ArgumentParser:
    """The words of the command."""
    words = CommandParser("python -m training.composed_pairs", __doc__)
    add = words.add_argument
    add("--sets", type=Path, required=True, metavar="DIR", help="sets of real hands (training.pseudo_labels)")
    add("--leave-out", nargs="*", default=[], metavar="NAME", help="sets that are held out")
    add("--out", type=Path, required=True, metavar="DIR", help="where the pairs go")
    add(
        "--meetings",
        type=Path,
        metavar="DIR",
        help="rendered pairs (training.synth) as whose hands they are laid; without, at random",
    )
    add("--name", type=_set_name, default="composed", help="name of the new set (composed)")
    add("--count", type=positive, required=True, metavar="N", help=f"pairs, rounded up to parts of {PART}")
    add("--seed", type=natural, default=0, help="another seed, other pairs (0)")
    add("--licence", default="not stated", help="on what terms, for bank.json; weights that are shipped must name it")
    add("--cache", type=Path, default=Path("out/bank"), metavar="DIR", help="decoded pictures (out/bank)")
    return words


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = parser().parse_args(argv)
    return exit_code(lambda: run(arguments))


def run(arguments: argparse.Namespace) -> None:
    """Do what the words say; raises UserError, also if no two hands can be put together."""
    made = compose(
        Order(
            sets=arguments.sets,
            names=tuple(_names(arguments.sets, arguments.leave_out)),
            out=arguments.out,
            count=arguments.count,
            cache=arguments.cache,
            meetings=arguments.meetings,
            name=arguments.name,
            seed=arguments.seed,
            licence=arguments.licence,
        )
    )
    if not made:
        raise UserError(
            "no two of these hands can be put together: too little is seen around them in their photographs"
        )


if __name__ == "__main__":
    sys.exit(main())

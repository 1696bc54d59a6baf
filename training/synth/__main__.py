"""Renders a bank of synthetic hands: `python -m training.synth --count 20000 --out DIR`.

It may be stopped (Ctrl-C) and started again with the same words: finished shards stay, a half one is done anew.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser
from training.command import natural, positive
from training.synth.pair.families import FAMILIES
from training.synth.pair.plans import PAIR_SHARE
from training.synth.render.render_bank import check_drawing, render_bank


@command
def main(argv: list[str] | None = None) -> int:
    """Command line entry; returns the exit code."""
    parser = CommandParser("python -m training.synth", __doc__)
    parser.add_argument("--count", type=positive, required=True, help="number of pictures in the whole bank")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--seed", type=natural, default=0, help="another bank of the same kind")
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, help="processes; default all cores")
    parser.add_argument("--backgrounds", type=Path, help="folder whose .hdr panoramas light a third of the pictures")
    parser.add_argument("--shard-size", type=positive, default=2000, help="pictures in a shard")
    parser.add_argument(
        "--modes", type=_modes, default=(), help="only these, in turn: names of ways hands meet, or `families`"
    )
    parser.add_argument("--views", type=positive, default=1, help="pictures of the same hands; more come faster")
    a = parser.parse_args(argv)
    try:
        check_drawing()
        rejected = render_bank(a.out, a.count, a.seed, a.workers, a.backgrounds, a.shard_size, a.modes, a.views)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on with the first unfinished shard", file=sys.stderr)
        return 130
    for cause, number in rejected.most_common():
        print(f"{number} scenes thrown away: {cause}")
    return 0


def _modes(text: str) -> tuple[str, ...]:
    names = [*FAMILIES] if text == "families" else text.split(",")
    unknown = [name for name in names if name not in ("single", *PAIR_SHARE)]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of single, {', '.join(PAIR_SHARE)}")
    return tuple(names)


if __name__ == "__main__":
    sys.exit(main())

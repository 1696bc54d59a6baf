"""Labels from several cameras: `python -m training.annotation STEP --help`; docs/annotation.md shows the whole way."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final

from engines.terminal import command
from realtime.command import CommandParser
from training.command import exit_code

STEPS: Final = {
    "calibrate": "several videos of one board -> where the cameras are and how they see",
    "record": "several cameras at once -> videos and their time stamps",
    "gather": "videos and cameras that are there already -> a recording",
    "render": "exact cameras around a rendered two-hand sequence -> a recording with its truth",
    "detect": "joints in every picture of every camera",
    "triangulate": "joints in space, a report, and pictures to look at",
    "label": "detect, triangulate, look again where hands were missed, triangulate: the machine's whole part",
    "correct": "a page in the browser to put right what the machine is unsure of",
    "views": "the error against the number of views (figure 4 of the paper)",
    "judge": "the single-camera tracker against the triangulated hands, camera by camera",
    "export": "a set to train on: InterHand2.6M's layout, or shards for lite",
    "train": "a 2D detector of your own, the paper's kind",
    "offsets": "what the detectors take for a joint, against rendered hands; again when lite has new weights",
}


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] not in STEPS:
        _overview(words)
        return 0 if words[:1] in ([], ["-h"], ["--help"]) else 2
    # before numpy comes: the solver has small matrices, and on a busy machine threads wait long for each other
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    step = import_module(f"training.annotation.steps.{words[0]}_step")
    parser = CommandParser(f"python -m training.annotation {words[0]}", step.__doc__)
    step.add_arguments(parser)
    arguments = parser.parse_args(words[1:])
    return exit_code(lambda: step.run(arguments))


def _overview(words: list[str]) -> None:
    lines = [f"  {name:12} {what}" for name, what in STEPS.items()]
    wrong = bool(words) and words[0] not in ("-h", "--help")
    head = [f"error: {words[0]!r} is no step; choose one of"] if wrong else [__doc__ or "", ""]
    print("\n".join([*head, *lines]), file=sys.stderr if wrong else sys.stdout)


if __name__ == "__main__":
    sys.exit(main())

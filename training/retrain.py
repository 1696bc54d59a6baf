"""Data -> training -> evaluation -> export -> verified engine: `python -m training.retrain [--output DIR]`.

Renders a bank of hands (or takes one, --data), trains lite with one settings file after the other, exports calibrated
weights, judges them on held-out renders and on real webcam hands, and builds and verifies the engine. Run the same
command again after any stop: finished stages are kept, a half one goes on. --dry-run goes the whole way in small.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser
from training.command import exit_code, positive
from training.evaluate import WEBCAM
from training.retraining.plan import CONFIGS, REAL_CONFIG, RetrainPlan, settings_of
from training.retraining.stage import Record
from training.retraining.way import Retraining

_OUTPUT: Final = Path("out/retrain")
_COUNT: Final = {False: 32_000, True: 32}
_SHARD_SIZE: Final = {False: 2_000, True: 16}


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    return exit_code(lambda: run(arguments))


def run(arguments: argparse.Namespace) -> None:
    """Go the whole way, print what was done. Raises UserError."""
    with _output(arguments) as folder:
        retraining = Retraining(_plan(arguments, folder))
        weights = retraining.run()
        content = [asdict(record) for record in retraining.records]
        (folder / "summary.json").write_text(json.dumps(content, indent=2) + "\n")
        print(f"\n{summary(retraining.records)}\n\nnew weights: {weights}")


def summary(records: list[Record]) -> str:
    """What was done, as a table."""
    rows = [("stage", "time", "figure", "file")]
    rows += [(r.name, _time(r.seconds) + ("*" if r.kept else ""), r.figure, r.file) for r in records]
    widths = [max(len(row[column]) for row in rows) for column in range(3)] + [0]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, *(["* done before, kept"] if any(record.kept for record in records) else [])])


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


@contextmanager
def _output(arguments: argparse.Namespace) -> Iterator[Path]:
    """The folder of the run, made; a dry run that was given none leaves nothing behind."""
    if arguments.output is None and arguments.dry_run:
        with tempfile.TemporaryDirectory(prefix="retrain-") as scratch:
            yield Path(scratch)
        return
    folder = arguments.output or _OUTPUT
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another --output") from error
    yield folder


def _plan(arguments: argparse.Namespace, output: Path) -> RetrainPlan:
    dry = arguments.dry_run
    if dry and arguments.install:
        raise UserError("--install with --dry-run: what a dry run makes is of no use; leave one of them out")
    configs = tuple(arguments.config or CONFIGS)
    overrides = tuple(arguments.set)
    return RetrainPlan(
        output=output,
        data=tuple(arguments.data),
        count=arguments.count or _COUNT[dry],
        shard_size=arguments.shard_size or _SHARD_SIZE[dry],
        seed=arguments.seed,
        workers=arguments.workers,
        backgrounds=_backgrounds(arguments, configs[0]),
        settings=tuple((config.stem, settings_of(config, overrides, dry)) for config in configs),
        real=tuple(arguments.real),
        pictures=tuple(arguments.pictures),
        real_settings=(arguments.real_config.stem, settings_of(arguments.real_config, overrides, dry)),
        webcam=arguments.webcam,
        dry_run=dry,
        install=arguments.install,
        force=arguments.force,
    )


def _backgrounds(arguments: argparse.Namespace, config: Path) -> Path | None:
    """The folder that was named, else the one of the settings if it is there; a dry run takes only what is named."""
    given: Path | None = arguments.backgrounds
    if given is not None and not given.is_dir():
        raise UserError(f"--backgrounds {given}: no such folder; leave it out for drawn rooms")
    if given is not None or arguments.dry_run:
        return given
    usual = settings_of(config, arguments.set, dry_run=False).data.backgrounds
    return usual if usual.is_dir() else None


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("python -m training.retrain", __doc__)
    parser.add_argument("--output", type=Path, help=f"where everything goes ({_OUTPUT}; a dry run: nowhere)")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        help="a folder of shards instead of rendering; may be repeated",
    )
    parser.add_argument("--count", type=positive, help="pictures to render (32,000)")
    parser.add_argument("--shard-size", type=positive, help="pictures in a shard (2,000)")
    parser.add_argument("--seed", type=int, default=0, help="another bank of the same kind")
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, help="processes that render")
    parser.add_argument(
        "--backgrounds",
        type=Path,
        help="photographs without hands, panoramas as light (the settings'; else drawn rooms)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        help="settings of a run; several, one after the other (lite, lite_finish)",
    )
    parser.add_argument(
        "--real",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder of labelled real hands (NAME.tar, NAME.npz): a last run learns from them, too; may be repeated",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        action="append",
        default=[],
        metavar="DIR|VIDEO",
        help="pictures of real hands without labels: they are labelled by machine, then as --real; may be repeated",
    )
    parser.add_argument("--real-config", type=Path, default=REAL_CONFIG, help="settings of that last run (lite_real)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting of all runs")
    parser.add_argument("--webcam", type=Path, default=WEBCAM, help="real labelled hands, judged if they are there")
    parser.add_argument("--install", action="store_true", help="put the weights in weights/ if they are better")
    parser.add_argument("--force", action="store_true", help="with --install: put them there in any case")
    parser.add_argument("--dry-run", action="store_true", help="the whole way with tiny sizes, in two minutes on a CPU")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What each change to a training brings: `python -m training.ablation [--set NAME=VALUE]`.

Trains one network for each settings file, from the same weights and equally long, and judges each on real webcam hands
and, with `--synthetic DIR`, on rendered ones. It may be stopped; finished rows are kept in `--output`, where the table
lies as `ablation.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.networks.checkpoints import save_weights
from engines.terminal import command
from realtime.command import CommandParser
from training.command import exit_code
from training.datasets.sample import LabelledSample
from training.datasets.synthetic import balanced, on_photographs
from training.evaluate import WEBCAM, judge_network
from training.evaluation.report import markdown_table
from training.evaluation.root_depth import root_depths
from training.lite.averaged import averaged_network
from training.lite.settings import Settings
from training.loop.loop import checkpoint_path
from training.registry import load_split
from training.settings import load_settings
from training.train import run

_Figures: TypeAlias = dict[str, dict[str, float]]

FOLDER: Final = Path("training/configs/ablation")
_NAMES: Final = ("bank_only", "rendered", "behind", "held", "motion", "real", "anchor", "masks", "spectrum")
ROWS: Final = tuple(FOLDER / f"{name}.yaml" for name in _NAMES)
"""Each has what the one before has, and one thing more."""
_COLUMNS: Final = {
    "webcam": ("error_2d_px", "root_relative_mm", "aligned_mm", "handedness"),
    "synthetic": ("mpjpe_single_mm", "mpjpe_interacting_mm", "mrrpe_mm", "handedness"),
}
"""What the table shows of each test, in the turned crop."""


def ablation(configs: Sequence[Path], changes: list[str], tests: dict[str, Sequence[LabelledSample]], out: Path) -> str:
    """Train and judge what is not done yet; returns the table (Markdown)."""
    rows = []
    for config in configs:
        settings = load_settings(config, [*changes, f"output={json.dumps(str(out / config.stem))}"])
        rows.append((config.stem, _row(settings, tests)))
        (out / "ablation.md").write_text(_table(rows, list(tests)) + "\n")
    return _table(rows, list(tests))


def _row(settings: Settings, tests: dict[str, Sequence[LabelledSample]]) -> _Figures:
    """By test: the figures after this training; those that were found before are kept, and the training with them."""
    kept, weights = settings.output / "figures.json", settings.output / "weights.safetensors"
    found: _Figures = json.loads(kept.read_text()) if kept.exists() else {}
    missing = {name: hands for name, hands in tests.items() if name not in found}
    if missing:
        if not (found and weights.exists()):
            _train(settings, weights)
        found |= _figures(weights, missing)
        kept.write_text(json.dumps(found, indent=1) + "\n")
    return found


def _train(settings: Settings, weights: Path) -> None:
    run(settings)
    network, samples = averaged_network(checkpoint_path(settings))
    save_weights(network, weights, {"network": "lite", "samples": samples})


def _figures(weights: Path, tests: dict[str, Sequence[LabelledSample]]) -> _Figures:
    """By test: the figures of the turned crop, of one look at each picture."""
    backend = open_backend(EngineRequest(weights=weights, witness=False), partial(print, file=sys.stderr))
    found: _Figures = {}
    for name, hands in tests.items():
        depths = root_depths("gt", Path(), "test", hands)
        found[name] = asdict(judge_network(backend, hands, depths)[-1].figures)
    return found


def _table(rows: Sequence[tuple[str, _Figures]], tests: Sequence[str]) -> str:
    columns = [(test, name) for test in tests for name in _COLUMNS[test]]
    head = ["settings", *(f"{test} {name}" for test, name in columns)]
    body = [[row, *(f"{found[test][name]:.3f}" for test, name in columns)] for row, found in rows]
    return markdown_table(head, body)


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.ablation", __doc__)
    parser.add_argument("--configs", type=Path, nargs="+", default=ROWS, metavar="FILE", help="settings, a row each")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting of all")
    parser.add_argument("--webcam", type=Path, default=WEBCAM, metavar="DIR", help="the real hands to judge on")
    parser.add_argument("--synthetic", type=Path, metavar="DIR", help="rendered hands to judge on")
    parser.add_argument("--each", type=int, default=500, help="so many single hands and so many pairs of them")
    parser.add_argument("--output", type=Path, default=Path("out/training/ablation"), metavar="DIR")
    given = parser.parse_args(argv)
    return exit_code(lambda: print(ablation(given.configs, given.set, _tests(given), given.output)))


def _tests(arguments: argparse.Namespace) -> dict[str, Sequence[LabelledSample]]:
    tests = {"webcam": load_split("webcam", arguments.webcam, "test")}
    if arguments.synthetic:
        settings = load_settings(arguments.configs[0], arguments.set)
        hands = balanced(load_split("synthetic", arguments.synthetic, "all"), arguments.each)
        tests["synthetic"] = on_photographs(hands, settings.data.backgrounds)
    return tests


if __name__ == "__main__":
    sys.exit(main())

"""Errors on held-out hands, one bank at a time: `python -m training.held_out --config FILE [--weights FILE]`.

A run's log and `training.export` print them of all banks together, where one that got worse can hide behind one that
got better. The same crops at every call, straying as a tracker's do; the network alone, one look.
"""

from __future__ import annotations

import argparse
import sys
from math import isnan
from pathlib import Path
from typing import Final

from torch import Tensor
from tqdm import tqdm

from engines.errors import UserError
from engines.networks.checkpoints import load_weights
from engines.networks.lite import Lite
from engines.presets import DEFAULT_WEIGHTS
from engines.terminal import command
from realtime.command import CommandParser, exit_code
from training.banks.banks import BankSource, load_mix, load_real_mix
from training.lite.backgrounds import load_backgrounds
from training.lite.settings import BankSettings, Settings
from training.lite.validation import errors_on_real, errors_on_rendered
from training.settings import load_settings

_COLUMNS: Final = {
    "all px": ("all_px", 1),
    "single px": ("single_px", 1),
    "pairs px": ("pair_px", 1),
    "single mm": ("single_depth_mm", 1),
    "pairs mm": ("pair_depth_mm", 1),
    "z(R->L) mm": ("root_mm", 1),
    "flags %": ("hands_right", 100),
}
"""What is shown: the error's name, and what it is multiplied by."""


def held_out_errors(weights: Path, settings: Settings) -> dict[str, dict[str, float]]:
    """The errors on each bank that holds shards out, by its folder; raises UserError if none does."""
    banks = [bank for bank in settings.data.banks if bank.validation]
    if not banks:
        raise UserError("no bank of the settings holds anything out: name shards under data.banks, validation")
    network = Lite()
    load_weights(network, weights)
    network.to(settings.device).eval()
    backgrounds = load_backgrounds(settings.data.backgrounds)
    found = {}
    for bank in tqdm(banks, unit="bank", disable=None):
        found[str(bank.root)] = _errors(network, bank, backgrounds, settings)
    return found


def _errors(network: Lite, bank: BankSettings, backgrounds: Tensor, settings: Settings) -> dict[str, float]:
    source, data = [BankSource(bank.root, tuple(bank.validation))], settings.data
    real = load_real_mix(source if bank.kind == "real" else [], data.real_px, data.cache)
    if real is not None:
        return errors_on_real(network, real, settings)
    return errors_on_rendered(network, load_mix(source, data.picture_px, data.cache), backgrounds, settings)


def table(found: dict[str, dict[str, float]]) -> str:
    """One line a bank, "-" where it says nothing."""
    width = max(len(name) for name in found)
    lines = ["  ".join([" " * width, *_COLUMNS])]
    for name, errors in found.items():
        values = [(errors[key] * factor, len(title)) for title, (key, factor) in _COLUMNS.items()]
        cells = ["-".rjust(size) if isnan(value) else f"{value:{size}.2f}" for value, size in values]
        lines.append("  ".join([name.ljust(width), *cells]))
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The words of the command."""
    words = CommandParser("python -m training.held_out", __doc__)
    add = words.add_argument
    add("--config", type=Path, required=True, metavar="FILE", help="settings: banks, and what they hold out")
    add(
        "--weights",
        type=Path,
        default=DEFAULT_WEIGHTS["lite"],
        metavar="FILE",
        help="weights of lite; without, those that ship",
    )
    add("--set", action="append", default=[], dest="overrides", metavar="NAME=VALUE", help="change one setting")
    return words


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    given = parser().parse_args(argv)
    return exit_code(lambda: print(table(held_out_errors(given.weights, load_settings(given.config, given.overrides)))))


if __name__ == "__main__":
    sys.exit(main())

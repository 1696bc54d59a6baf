"""A checkpoint becomes weights that ship: `python -m training.export [--config C] [--output W]`.

Takes the averaged network and writes safetensors with a side-car that says what made them. For `lite`, the joints'
confidence is calibrated on one half of the held-out hands and checked on the other, and RootNet's factor becomes that
of a typical hand. For the paper's networks the file is one of preset `paper`: `--config
training/configs/paper_internet.yaml --rootnet training/configs/paper_rootnet.yaml` puts both into it. `--config
training/configs/pairs.yaml` writes the pair detector's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from engines.errors import UserError
from engines.networks.checkpoints import save_weights
from engines.networks.decode import DeployedLite
from engines.pair_detector import PAIR_DETECTOR
from engines.presets import DEFAULT_WEIGHTS
from engines.terminal import command
from realtime.command import CommandParser
from training.evaluation.reliability import Reliability, reliability
from training.lite.averaged import mean_network
from training.lite.backgrounds import load_backgrounds
from training.lite.calibration import fit_confidence, spreads
from training.lite.factor import fit_factor
from training.lite.settings import Settings
from training.lite.validation import load_held_out, validate
from training.loop.loop import checkpoint_path
from training.pairs.export import export_pairs
from training.pairs.settings import PairSettings
from training.paper.export import commit, export_paper
from training.paper.settings import InterNetSettings, RootNetSettings
from training.settings import AnySettings, load_any_settings, start_override
from training.sidecar import read_sidecar
from training.witness import witness_of

_PLACES: Final[Any] = {
    "output": True,
    "start": True,
    "device": True,
    "data": {"banks": {"__all__": {"root"}}, "backgrounds": True, "cache": True},
}
"""Folders of the machine that trained, which say nothing of the weights."""


def export(settings: Settings, output: Path, others: Sequence[Path] = ()) -> dict[str, Any]:
    """Write the weights; returns what the side-car says.

    `others` are checkpoints of the same run with other seeds, or weights: the mean of all is written. Raises UserError.
    """
    start = _start(settings)  # first: what is missing shall be told before minutes of calibration, not after them
    network, samples = mean_network([checkpoint_path(settings), *others])
    data = settings.data
    held_out = load_held_out(data)
    backgrounds = load_backgrounds(data.backgrounds)
    factor_off = fit_factor(network.eval(), held_out.rendered, backgrounds, settings)
    witness = witness_of(network)
    deployed = DeployedLite(network, witness).eval()
    log_variance, added, right = spreads(deployed, held_out.rendered, backgrounds, settings)
    first = np.arange(len(right)) % 2 == 0
    slope, offset = fit_confidence(log_variance[first], right[first], added[first])
    network.confidence_fit.copy_(torch.tensor([slope, offset]))
    checked = 1 / (1 + np.exp(-(slope * log_variance[~first] + offset + added[~first])))
    facts = {
        "network": "lite",
        "samples": samples + start.get("samples", 0),
        "runs": 1 + len(others),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "commit": commit(),
        "data": "; ".join(["rendered hands (MakeHuman/MPFB2, CC0)", *_real_sets(settings)]),
        "start": start or "trunk: MediaPipe's hand_landmark_full.tflite (Apache-2.0); heads: random",
        "witness": witness is not None,
        "factor_off": factor_off,
        "held_out": validate(network, held_out, backgrounds, settings, witness),
        "confidence": _filled(reliability(checked, right[~first])),
        "settings": settings.model_dump(mode="json", exclude=_PLACES),
    }
    save_weights(network, output, facts)
    return facts


def _real_sets(settings: Settings) -> list[str]:
    """What the side-car says of real pictures, if there are any."""
    names = settings.data.real_sets()
    return [f"real hands, labelled by networks (NOTICE): {', '.join(names)}"] if names else []


def _start(settings: Settings) -> dict[str, Any]:
    """What the side-car of the weights that the run started from says; empty for MediaPipe's trunk.

    Raises UserError if it cannot be read.
    """
    if settings.start is None:
        return {}
    hint = f"it says what made {settings.start.name}, from which the run started (--weights names another start)"
    facts = read_sidecar(settings.start, hint)
    return {name: facts[name] for name in ("samples", "commit", "data", "start", "mixed", "settings") if name in facts}


def _make_folder(output: Path) -> None:
    """The folder of the weights, before the work: a place that cannot be written to is told at once, by UserError."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}); choose another --output") from error


def _filled(found: Reliability) -> dict[str, Any]:
    """What the side-car says of the confidences: the tenths of the scale in which there are joints."""
    used = [k for k, joints in enumerate(found.joints) if joints]
    lists = {name: [values[k] for k in used] for name, values in asdict(found).items() if isinstance(values, list)}
    return {**lists, "expected_error": found.expected_error}


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.export", __doc__)
    parser.add_argument("--config", type=Path, default=Path("training/configs/lite.yaml"), help="settings of the run")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting")
    parser.add_argument("--weights", type=Path, help="what the run started from, where it was trained with --weights")
    parser.add_argument(
        "--rootnet", type=Path, metavar="C|FILE", help="InterNet: RootNet's settings, or its checkpoint"
    )
    parser.add_argument(
        "--mean-with",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="lite: checkpoints (last.pt) of the same run with other seeds, or weights; the mean of all is written",
    )
    parser.add_argument("--output", type=Path, help="where it goes (weights/lite.safetensors, paper..., pairs.onnx)")
    arguments = parser.parse_args(argv)
    try:
        settings = load_any_settings(arguments.config, [*arguments.set, *start_override(arguments.weights)])
        output = arguments.output or _own_place(settings)
        _make_folder(output)
        if isinstance(settings, Settings):
            _report(export(settings, output, arguments.mean_with), output)
        elif isinstance(settings, PairSettings):
            _report(export_pairs(settings, output), output)
        else:
            facts = export_paper(settings, _rootnet(arguments.rootnet), output)
            print(f"{output}: {facts['network']}, {facts['samples']} samples")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _rootnet(named: Path | None) -> InterNetSettings | RootNetSettings | Path | None:
    """What `--rootnet` names: the settings of a run, or a checkpoint."""
    if named is None or named.suffix not in (".yaml", ".yml"):
        return named
    settings = load_any_settings(named, [])
    if isinstance(settings, Settings | PairSettings):
        raise UserError(f"{named}: settings of network {settings.network}; --rootnet takes those of rootnet")
    return settings


def _report(facts: dict[str, Any], output: Path) -> None:
    print(f"{output}: {facts['samples']} samples")
    for name, value in facts["held_out"].items():
        print(f"  held out {name:18}{value:10.3f}")
    if "confidence" in facts:
        print(f"  confidence is off by {facts['confidence']['expected_error']:.3f} on average")


def _own_place(settings: AnySettings) -> Path:
    """Where the weights of such a run lie in the program."""
    if isinstance(settings, PairSettings):
        return PAIR_DETECTOR
    return DEFAULT_WEIGHTS["lite" if isinstance(settings, Settings) else "paper"]


if __name__ == "__main__":
    sys.exit(main())

"""Train `lite`: `python -m training.train`. Run it again to go on where it stopped."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

import torch

from engines.errors import UserError
from engines.networks.lite import Lite
from training.backgrounds import load_backgrounds
from training.datasets.banks import load_mix
from training.loop import checkpoint_path, train
from training.mediapipe_trunk import load_mediapipe_weights
from training.settings import Settings, load_settings
from training.state import load_state, new_state


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("training/configs/lite.yaml"), help="settings of the run")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change one setting, e.g. schedule.samples=1000000",
    )
    parser.add_argument(
        "--weights", type=Path, help="start from these weights (safetensors) instead of MediaPipe's trunk"
    )
    arguments = parser.parse_args(argv)
    for stop in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this with signals ignored
        signal.signal(stop, signal.default_int_handler)
    try:
        start = [f"start={json.dumps(str(arguments.weights))}"] if arguments.weights else []
        run(load_settings(arguments.config, [*arguments.set, *start]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command to go on", file=sys.stderr)
        return 130
    return 0


def run(settings: Settings) -> None:
    """Load the data, start or resume, train."""
    torch.manual_seed(settings.seed)
    data = settings.data
    backgrounds = load_backgrounds(data.backgrounds)
    held_out = load_mix(data.validation_sources(), data.picture_px, data.cache)
    bank = load_mix(data.training_sources(), data.picture_px, data.cache)
    state = new_state(settings, _start(settings.start))
    if checkpoint_path(settings).exists():
        load_state(state, checkpoint_path(settings))
        print(f"going on after {state.samples} samples")
    train(settings, state, bank, held_out, backgrounds)


def _start(weights: Path | None) -> Lite:
    network = Lite()
    if weights is None:
        load_mediapipe_weights(network.trunk)
    else:
        from engines.networks.checkpoints import load_weights

        load_weights(network, weights)
    return network


if __name__ == "__main__":
    sys.exit(main())

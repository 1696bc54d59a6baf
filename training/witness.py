"""Read MediaPipe's landmark network out of its wheel as the witness of `lite`: `python -m training.witness`.

Its weights (Apache-2.0) are taken over as they are; `engines.networks.witness` says what for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.lite import Lite
from engines.networks.witness import Witness, shared_parameters
from engines.presets import WITNESS_WEIGHTS
from engines.terminal import command
from realtime.command import CommandParser
from training.command import exit_code
from training.lite.mediapipe_trunk import load_mediapipe_witness


def witness_of(network: Lite) -> Witness | None:
    """The witness that goes along with a network; None where there is none, or the shared stages were trained."""
    if not WITNESS_WEIGHTS.is_file():
        return None
    witness = Witness().eval()
    load_weights(witness, WITNESS_WEIGHTS)
    kept = torch.equal(witness.get_buffer("shared").cpu(), shared_parameters(network.trunk).cpu())
    return witness.to(next(network.parameters()).device) if kept else None


def write_witness(path: Path) -> None:
    """Write the witness's weights; raises UserError if the wheel holds another network, or they cannot be written."""
    witness = Witness()
    load_mediapipe_witness(witness)
    save_weights(witness, path, {"from": "mediapipe 0.10.21, hand_landmark_full.tflite (Apache-2.0), unchanged"})
    print(path)


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.witness", __doc__)
    parser.add_argument("--output", type=Path, default=WITNESS_WEIGHTS, help="where the weights go")
    arguments = parser.parse_args(argv)
    return exit_code(lambda: write_witness(arguments.output))


if __name__ == "__main__":
    sys.exit(main())

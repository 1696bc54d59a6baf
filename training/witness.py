"""Read MediaPipe's landmark network out of its wheel as the witness of `lite`: `python -m training.witness`.

Its weights (Apache-2.0) are taken over as they are; `engines.networks.witness` says what for.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines.networks.checkpoints import save_weights
from engines.networks.witness import Witness
from engines.presets import WITNESS_WEIGHTS
from engines.terminal import command
from training.command import exit_code
from training.lite.mediapipe_trunk import load_mediapipe_witness


def write_witness(path: Path) -> None:
    """Write the witness's weights; raises UserError if the wheel holds another network, or they cannot be written."""
    witness = Witness()
    load_mediapipe_witness(witness)
    save_weights(witness, path, {"from": "mediapipe 0.10.21, hand_landmark_full.tflite (Apache-2.0), unchanged"})
    print(path)


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.witness", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=WITNESS_WEIGHTS, help="where the weights go")
    arguments = parser.parse_args(argv)
    return exit_code(lambda: write_witness(arguments.output))


if __name__ == "__main__":
    sys.exit(main())

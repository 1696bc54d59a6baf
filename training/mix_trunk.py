"""Give trained weights back what MediaPipe's trunk knows of real hands: `python -m training.mix_trunk --output FILE`.

Training on renders alone moves the trunk away from it. The mix, trunk = 0.7 theirs + 0.3 MediaPipe's, is a start for
training on real hands (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022), not for shipping.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.lite import Lite
from engines.presets import DEFAULT_WEIGHTS
from engines.terminal import command
from realtime.command import CommandParser
from training.command import exit_code, share
from training.lite.mediapipe_trunk import mix_trunk
from training.sidecar import read_sidecar

MEDIAPIPES_SHARE: Final = 0.3
"""Its part of the trunk."""


def write_mix(weights: Path, part: float, output: Path) -> None:
    """Write `weights` with `part` of MediaPipe's trunk in them, and a side-car that says so; raises UserError."""
    facts, network = read_sidecar(weights, "it says what made the weights"), Lite()
    load_weights(network, weights)
    mix_trunk(network, part)
    made_of = f"trunk: {1 - part:g} of {weights.name} + {part:g} of MediaPipe's hand_landmark_full.tflite (Apache-2.0)"
    save_weights(network, output, facts | {"mixed": made_of})
    print(f"{output}: {made_of}")


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.mix_trunk", __doc__)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS["lite"], help="trained weights of lite")
    parser.add_argument("--share", type=share, default=MEDIAPIPES_SHARE, help="MediaPipe's part, 0 to 1 (0.3)")
    parser.add_argument("--output", type=Path, required=True, help="where the mixed weights go")
    arguments = parser.parse_args(argv)
    return exit_code(lambda: write_mix(arguments.weights, arguments.share, arguments.output))


if __name__ == "__main__":
    sys.exit(main())

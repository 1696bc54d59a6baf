"""Turn released checkpoints into safetensors: `python -m engines.convert --internet snapshot_20.pth.tar`.

Reads InterHand2.6M's and mmpose's InterNet, and RootNet in the form of 3DMPPE's release with one root or, for hands,
two. Preset `paper` finds the result by itself. Without a RootNet the depth of a hand is read off its bones' lengths.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engines.errors import UserError
from engines.files import origin
from engines.presets import DEFAULT_WEIGHTS
from engines.terminal import command


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engines.convert", description=__doc__)
    parser.add_argument("--internet", type=Path, required=True, metavar="FILE", help="snapshot_20.pth.tar, or mmpose's")
    parser.add_argument("--rootnet", type=Path, metavar="FILE", help="a RootNet for hands")
    parser.add_argument("--output", type=Path, default=DEFAULT_WEIGHTS["paper"], help="where to write (%(default)s)")
    parser.add_argument("--half", action="store_true", help="store in half precision: half the size, not quite exact")
    arguments = parser.parse_args(argv)
    try:
        convert(arguments.internet, arguments.rootnet, arguments.output, arguments.half)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def convert(internet_file: Path, rootnet_file: Path | None, output: Path, half: bool = False) -> None:
    """Read the checkpoints, write one safetensors file and its side-car; raises UserError if either cannot be done."""
    from engines.networks.paper import PaperNetworks, write_paper  # imports torch, which --help does without
    from engines.networks.released import load_released

    if output.suffix != ".safetensors":
        raise UserError(f"{output}: name the output with the ending .safetensors")
    internet = load_released("internet", internet_file)
    rootnet = load_released("rootnet", rootnet_file) if rootnet_file is not None else None
    made_by: dict[str, Any] = {
        "network": "InterNet" if rootnet is None else "InterNet and RootNet",
        "internet": origin(internet_file) | {"trunk": f"ResNet-{internet.trunk.depth}"},
        "internet_input": "RGB / 255, ImageNet mean and deviation" if internet.imagenet_input else "RGB / 255",
        "precision": "fp16" if half else "fp32",
    }
    if rootnet is not None and rootnet_file is not None:
        facts = {"trunk": f"ResNet-{rootnet.trunk.depth}", "roots": rootnet.roots}
        made_by["rootnet"] = origin(rootnet_file) | facts
    write_paper(PaperNetworks(internet, rootnet), output, made_by, half)
    print(f"{output}: {made_by['network']}, {output.stat().st_size / 1e6:.0f} MB")
    if rootnet is None:
        print("no RootNet was given: the depth of a hand follows from the size of its bones in the picture")


if __name__ == "__main__":
    sys.exit(main())

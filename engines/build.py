"""Build an engine ahead of time, and check it: `python -m engines.build [--verify]`.

The live program builds what it lacks by itself; this command is for machines that are set up beforehand, for other
weights, and for a report of how far an engine is from torch.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from engines.backend import EngineRequest, open_backend
from engines.cache import default_cache
from engines.errors import UserError
from engines.presets import SPECS, weights_of
from engines.verify import sample_crops, verify


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engines.build", description=__doc__)
    parser.add_argument("--preset", choices=sorted(SPECS), default="lite")
    parser.add_argument("--weights", type=Path, help="other weights than the shipped ones (safetensors)")
    parser.add_argument("--backend", choices=("auto", "openvino", "torch"), default="auto")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--output", type=Path, help=f"the engine cache to build into (default {default_cache()})")
    parser.add_argument("--verify", action="store_true", help="compare the engine with torch in fp32 on fixed crops")
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="write the graph as ONNX too")
    arguments = parser.parse_args(argv)
    request = EngineRequest(
        arguments.preset, arguments.weights, arguments.backend, arguments.precision, cache=arguments.output
    )
    try:
        build(request, arguments.verify, arguments.onnx)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def build(request: EngineRequest, check: bool, onnx_file: Path | None) -> None:
    """Make sure the engine is in the cache; print what was asked for."""
    engine = open_backend(request, print)
    print(f"{request.preset} runs on {engine.name} in {engine.precision}, {engine.input_px} px crops")
    if onnx_file is not None:
        from engines.graph import onnx_graph

        onnx_file.parent.mkdir(parents=True, exist_ok=True)
        onnx_file.write_bytes(onnx_graph(request.preset, weights_of(request.preset, request.weights)))
        print(f"{onnx_file}: the graph as ONNX")
    if check:
        reference = open_backend(replace(request, backend="torch", precision="fp32"))
        print("\n".join(verify(engine, reference, sample_crops(engine.input_px)).lines()))


if __name__ == "__main__":
    sys.exit(main())

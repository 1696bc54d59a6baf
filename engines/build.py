"""Build an engine ahead of time, and check it: `python -m engines.build`.

The live program builds what it lacks by itself; this command is for machines that are set up beforehand, for other
weights, and for a report of how far an engine is from torch. TensorRT-RTX engines can be built where no GPU is.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

from engines.backends.gpu import nvidia_gpu
from engines.backends.opening import build_ahead, open_backend
from engines.building.engine_graph import engine_graph
from engines.building.sample_crops import sample_crops
from engines.cache.store import SIDECAR, add_fact
from engines.cache.weights import weights_for
from engines.contract import BATCHES, Backend, BackendName, EngineRequest, Precision
from engines.errors import UserError
from engines.presets import SPECS
from engines.terminal import command
from engines.verification.verify import verify


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engines.build", description=__doc__)
    parser.add_argument("--preset", choices=sorted(SPECS), default="lite")
    parser.add_argument(
        "--weights", type=Path, help="other weights than the preset's own (safetensors, or a checkpoint)"
    )
    parser.add_argument("--rootnet", type=Path, metavar="FILE", help="preset paper: a RootNet checkpoint for hands")
    parser.add_argument("--backend", choices=get_args(BackendName), default="auto")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--batch", type=_numbers, default=BATCHES, metavar="1,2", help="batch sizes to compile (1,2)")
    parser.add_argument("--target", type=_names, default=(), metavar="sm80,sm89", help="GPUs (tensorrt_rtx only)")
    parser.add_argument("--output", type=Path, help="the engine cache to build into (the user's)")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="PATH",
        help="int8: a folder of crops, or a video with its track file beside it",
    )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="compare the engine with torch in fp32 on fixed crops, and time it (done if it can run here)",
    )
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="write the graph that the engine is made of, too")
    given = parser.parse_args(argv)
    request = EngineRequest(
        given.preset,
        given.weights,
        given.backend,
        given.precision,
        cache=given.output,
        batches=given.batch,
        targets=given.target,
        rootnet=given.rootnet,
        calibration=given.calibration,
    )
    try:
        build(request, given.verify, given.onnx)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def build(request: EngineRequest, check: bool | None, onnx_file: Path | None) -> None:
    """Make sure the engine is in the cache, print what it is, and unless `check` is False how it does.

    Raises UserError also for an engine that is farther from torch than its precision excuses.
    """
    if request.calibration is not None and request.precision != "int8":
        raise UserError("--calibration goes with --precision int8")
    if request.targets and request.backend != "tensorrt_rtx":
        raise UserError(f"--target is for backend tensorrt_rtx; {request.backend} builds for this machine")
    if request.backend == "tensorrt_rtx" and (request.targets or nvidia_gpu() is None):
        _build_ahead(request, onnx_file)
        if check:
            raise UserError("--verify runs the engine, and this one is for another GPU; verify it there")
        return
    engine = open_backend(request, print)
    print(f"{request.preset} runs on {engine.name} in {engine.precision}, {engine.input_px} px crops")
    if onnx_file is not None:
        _write_onnx(request, engine.name, engine.precision, onnx_file)
    if check is not False:
        _verify(engine, request)


def _verify(engine: Backend, request: EngineRequest) -> None:
    """Compare with torch, print the report and keep it in the side-car; raises UserError if the joints are too far."""
    reference = open_backend(replace(request, backend="torch", precision="fp32"))
    report = verify(engine, reference, sample_crops(engine.input_px), request.batches)
    print("\n".join(report.lines()))
    if engine.folder is not None:
        add_fact(engine.folder, "verification", asdict(report))
    report.require(engine.precision)


def _build_ahead(request: EngineRequest, onnx_file: Path | None) -> None:
    """An engine for GPUs that need not be here, with what its side-car says."""
    folder, key = build_ahead(request, print)
    if onnx_file is not None:
        _write_onnx(request, key.backend, key.precision, onnx_file)
    sidecar = json.loads((folder / SIDECAR).read_text())
    size_mb = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    print(f"{folder}: {sidecar['key']['device']}, {sidecar['key']['precision']}, {size_mb:.0f} MB")
    print(f"exported in {sidecar['export_s']} s, built in {sidecar['build_s']} s, never run here")


def _write_onnx(request: EngineRequest, backend: str, precision: str, file: Path) -> None:
    """The graph that the engine is made of, in its types."""
    weights = weights_for(request, print)
    graph = engine_graph(
        backend, precision, request.preset, weights, request.calibration, print, witness=request.witness
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(graph)
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror})") from error
    print(f"{file}: the graph as ONNX")


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) if part.strip().isdecimal() else 0 for part in text.split(","))
    if not all(1 <= number <= 64 for number in numbers) or len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError("batch sizes are different numbers from 1 to 64, such as 1,2")
    return numbers


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


if __name__ == "__main__":
    sys.exit(main())

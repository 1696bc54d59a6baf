"""What `benchmarks.engines` measures: every engine that there is at every batch size."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.eager import EagerTorch
from benchmarks.engine_table import Failure, Row
from engines.backends.gpu import nvidia_gpu
from engines.backends.opening import open_backend
from engines.building.sample_crops import sample_crops
from engines.building.tolerance import LIMITS_MM
from engines.contract import Backend, BackendName, EngineRequest, Precision
from engines.errors import UserError
from engines.installed import is_installed
from engines.presets import SHIPPED, weights_of
from engines.verification.timing import latencies_ms
from engines.verification.verify import verify

CHOICES: Final[dict[BackendName, tuple[Precision, ...]]] = {
    "tensorrt": ("fp32", "fp16", "int8"),
    "tensorrt_rtx": ("fp32", "fp16", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "torch": ("fp32", "bf16", "fp16"),
}


@dataclass(frozen=True)
class Plan:
    """What to measure, and for how long."""

    presets: Sequence[str] = ("lite", "paper")
    paper: Path | None = None
    """Weights of preset paper; None for untrained ones."""
    backends: Sequence[BackendName] = tuple(CHOICES)
    threads: int = 0
    seconds: float = 5.0
    """Longest time of one measurement."""
    compiled: bool = False
    """torch.compile on a CPU, too."""


def measure(plan: Plan, folder: Path) -> list[Row | Failure]:
    """Rows of every combination whose backend is installed; engines are built in `folder`."""
    rows: list[Row | Failure] = []
    for preset in plan.presets:
        weights = weights_for_preset(preset, plan.paper, folder)
        reference = open_backend(EngineRequest(preset, weights, "torch", "fp32", plan.threads))
        crops = sample_crops(reference.input_px, count=8)
        for name, precision, opened in _engines(plan, preset, weights, folder):
            for row in _tried(preset, name, precision, opened, reference, crops, plan.seconds):
                _tell(row.markdown())
                rows.append(row)
    return rows


def _tried(
    preset: str,
    name: str,
    precision: str,
    opened: Callable[[], Backend],
    reference: Backend,
    crops: NDArray[np.uint8],
    seconds: float,
) -> list[Row | Failure]:
    """One engine's rows; whatever its runtime cannot do must not cost the others theirs."""
    try:
        with _int8_however_far():
            engine = opened()
        return [*_rows(preset, name, precision, engine, reference, crops, seconds)]
    except (UserError, RuntimeError) as error:
        return [Failure(preset, name, precision, " ".join(str(error).split())[:300])]


@contextmanager
def _int8_however_far() -> Iterator[None]:
    """Within it a build keeps an INT8 graph that it would refuse: the table is to say how far it is off."""
    limit = LIMITS_MM["int8"]
    LIMITS_MM["int8"] = math.inf
    try:
        yield
    finally:
        LIMITS_MM["int8"] = limit


def _engines(plan: Plan, preset: str, weights: Path, folder: Path) -> Iterator[tuple[str, str, Callable[[], Backend]]]:
    """Name, precision and opener of everything to measure."""
    installed = [backend for backend in plan.backends if is_installed(backend)]
    for backend, precision in ((b, p) for b in installed for p in CHOICES[b]):
        cache = folder / f"{preset}-{backend}-{precision}"
        request = EngineRequest(preset, weights, backend, precision, plan.threads, cache)
        yield backend, precision, partial(open_backend, request, _tell)
        if backend == "torch" and (nvidia_gpu() or plan.compiled):
            yield "torch, compiled", precision, partial(open_backend, replace(request, compiled=True), _tell)
    if nvidia_gpu() and "torch" in plan.backends:
        for eager in ("fp32", "tf32", "fp16"):
            yield EagerTorch.name, eager, partial(EagerTorch, preset, weights, eager)


def _rows(
    preset: str,
    name: str,
    precision: str,
    engine: Backend,
    reference: Backend,
    crops: NDArray[np.uint8],
    seconds: float,
) -> Iterator[Row]:
    report = verify(engine, reference, crops, timed_s=0.0)
    size = None if engine.folder is None else _megabytes(engine.folder)
    for batch in (1, 2):
        times = latencies_ms(engine, crops[:batch], seconds=seconds)
        p50, p95 = (float(np.percentile(times, share)) for share in (50, 95))
        speed = 1e3 * batch / p50
        difference = (report.joints_px_mean, report.joint_depth_mm_mean, report.joints_mm_mean)
        yield Row(preset, name, precision, batch, p50, p95, speed, size, *difference)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 1e6


def weights_for_preset(preset: str, paper: Path | None, folder: Path) -> Path:
    """The weights to measure with: given, shipped, or untrained ones made in `folder`."""
    if preset in SHIPPED or paper is not None:
        return weights_of(preset, None if preset in SHIPPED else paper)
    from benchmarks.smooth_weights import smooth_paper
    from engines.networks.paper import write_paper

    path = folder / "smooth.safetensors"
    if not path.exists():
        write_paper(smooth_paper(), path, {"weights": "untrained, with clear peaks"})
    return path


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

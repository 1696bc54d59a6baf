"""What `benchmarks.engines` measures: one row for every engine and batch size that runs here."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.eager import EagerTorch
from engines.backend import (
    Backend,
    BackendName,
    BackendUnavailable,
    EngineRequest,
    Precision,
    is_installed,
    open_backend,
)
from engines.gpu import nvidia_gpu
from engines.presets import weights_of
from engines.verify import LIMITS_MM, latencies_ms, sample_crops, verify

_CHOICES: Final[tuple[tuple[BackendName, tuple[Precision, ...]], ...]] = (
    ("tensorrt", ("fp32", "fp16", "int8")),
    ("tensorrt_rtx", ("fp32", "fp16", "int8")),
    ("openvino", ("fp32", "bf16", "int8")),
    ("torch", ("fp32", "bf16", "fp16")),
)


@dataclass(frozen=True)
class Row:
    """One engine at one batch size; differences are means over the joints, against torch in fp32."""

    preset: str
    backend: str
    precision: str
    batch: int
    p50_ms: float
    p95_ms: float
    crops_per_s: float
    engine_mb: float | None
    """Size of what is in the cache; None where nothing is compiled."""
    joints_px: float
    joint_depth_mm: float
    joints_mm: float
    """Pixels and depth together, as a distance in space."""

    def markdown(self) -> str:
        """One line of the table."""
        size = "" if self.engine_mb is None else f"{self.engine_mb:.0f}"
        cells = [self.preset, self.backend, self.precision, str(self.batch), f"{self.p50_ms:.1f}", f"{self.p95_ms:.1f}"]
        exact = [f"{value:.3f}" for value in (self.joints_px, self.joint_depth_mm, self.joints_mm)]
        return line([*cells, f"{self.crops_per_s:.0f}", size, *exact])


def measure(
    presets: list[str], paper: Path | None, threads: int, seconds: float, folder: Path, compiled: bool = False
) -> list[Row]:
    """Rows of every combination that runs here; what does not is said on stderr."""
    rows: list[Row] = []
    LIMITS_MM["int8"] = math.inf
    for preset in presets:
        weights = weights_for_preset(preset, paper, folder)
        reference = open_backend(EngineRequest(preset, weights, "torch", "fp32", threads))
        crops = sample_crops(reference.input_px, count=8)
        for name, precision, opened in _engines(preset, weights, threads, folder, compiled):
            try:
                engine = opened()
            except BackendUnavailable as error:
                _tell(f"left out: {preset} {name} {precision}: {error}")
                continue
            rows += _rows(preset, name, engine, reference, crops, seconds, folder / f"{preset}-{name}-{precision}")
            _tell(rows[-1].markdown())
            del engine
    return rows


def _engines(
    preset: str, weights: Path, threads: int, folder: Path, compiled: bool
) -> Iterator[tuple[str, Precision, Callable[[], Backend]]]:
    """Name, precision and opener of everything to measure."""
    for backend, precision in _combinations():
        cache = folder / f"{preset}-{backend}-{precision}"
        request = EngineRequest(preset, weights, backend, precision, threads, cache)
        yield backend, precision, partial(open_backend, request, _tell)
        if backend == "torch" and (nvidia_gpu() or compiled):
            yield "torch, compiled", precision, partial(open_backend, replace(request, compiled=True), _tell)
    if nvidia_gpu():
        for precision in ("fp32", "fp16"):
            yield EagerTorch.name, precision, partial(EagerTorch, preset, weights, precision)


def _rows(
    preset: str, name: str, engine: Backend, reference: Backend, crops: NDArray[np.uint8], seconds: float, cache: Path
) -> Iterator[Row]:
    report = verify(engine, reference, crops, timed_s=0.0)
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 1e6 if cache.exists() else None
    for batch in (1, 2):
        times = latencies_ms(engine, crops[:batch], seconds=seconds)
        p50, p95 = (float(np.percentile(times, share)) for share in (50, 95))
        speed = 1e3 * batch / p50
        difference = (report.joints_px_mean, report.joint_depth_mm_mean, report.joints_mm_mean)
        yield Row(preset, name, engine.precision, batch, p50, p95, speed, size, *difference)


def _combinations() -> Iterator[tuple[BackendName, Precision]]:
    for backend, precisions in _CHOICES:
        if is_installed(backend):
            yield from product((backend,), precisions)


def weights_for_preset(preset: str, paper: Path | None, folder: Path) -> Path:
    """The weights to measure with: given, shipped, or untrained ones made in `folder`."""
    if preset == "lite" or paper is not None:
        return weights_of(preset, None if preset == "lite" else paper)
    from benchmarks.smooth_weights import smooth_paper
    from engines.networks.paper import write_paper

    path = folder / "smooth.safetensors"
    if not path.exists():
        write_paper(smooth_paper(), path, {"weights": "untrained, with clear peaks"})
    return path


def line(cells: list[str] | tuple[str, ...]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

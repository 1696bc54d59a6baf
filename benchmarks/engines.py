"""Every backend, precision and preset that runs here, on the same crops, in one run: `python -m benchmarks.engines`.

Prints a Markdown table and writes it with a JSON beside it. Joints are compared with torch in fp32 on the sample clip's
crops. The paper's networks have no weights that may be shipped: without `--paper` they run with untrained ones that
give clear peaks (`benchmarks.smooth_weights`); speed does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.backend import (
    Backend,
    BackendName,
    BackendUnavailable,
    EngineRequest,
    Precision,
    is_installed,
    open_backend,
)
from engines.errors import UserError
from engines.gpu import nvidia_gpu
from engines.presets import weights_of
from engines.verify import latencies_ms, sample_crops, verify

_CHOICES: Final[tuple[tuple[BackendName, tuple[Precision, ...]], ...]] = (
    ("tensorrt", ("fp32", "fp16")),
    ("tensorrt_rtx", ("fp32", "fp16")),
    ("openvino", ("fp32", "bf16")),
    ("torch", ("fp32", "bf16", "fp16")),
)
_COLUMNS: Final = (
    "preset",
    "backend",
    "precision",
    "batch",
    "p50 ms",
    "p95 ms",
    "crops/s",
    "MB",
    "joints px",
    "depth mm",
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

    def markdown(self) -> str:
        """One line of the table."""
        size = "" if self.engine_mb is None else f"{self.engine_mb:.0f}"
        cells = [self.preset, self.backend, self.precision, str(self.batch), f"{self.p50_ms:.1f}", f"{self.p95_ms:.1f}"]
        return _line([*cells, f"{self.crops_per_s:.0f}", size, f"{self.joints_px:.3f}", f"{self.joint_depth_mm:.3f}"])


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--presets", nargs="+", default=["lite", "paper"], metavar="NAME")
    parser.add_argument("--paper", type=Path, metavar="FILE", help="weights of preset paper")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network (0: as many as there are)")
    parser.add_argument("--seconds", type=float, default=5.0, help="longest time of one measurement")
    parser.add_argument("--output", type=Path, default=Path("out/engines"), help="writes OUTPUT.md and OUTPUT.json")
    given = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(given.presets, given.paper, given.threads, given.seconds, Path(folder))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = "\n".join([machine(), "", _line(_COLUMNS), _line(["---"] * len(_COLUMNS)), *(r.markdown() for r in rows)])
    print(text)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.with_suffix(".md").write_text(text + "\n")
    given.output.with_suffix(".json").write_text(
        json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=2) + "\n"
    )
    return 0


def measure(presets: list[str], paper: Path | None, threads: int, seconds: float, folder: Path) -> list[Row]:
    """Rows of every combination that runs here; what does not is said on stderr."""
    rows: list[Row] = []
    for preset in presets:
        weights = _weights(preset, paper, folder)
        reference = open_backend(EngineRequest(preset, weights, "torch", "fp32", threads))
        crops = sample_crops(reference.input_px, count=8)
        for backend, precision in _combinations():
            cache = folder / f"{preset}-{backend}-{precision}"
            try:
                engine = open_backend(EngineRequest(preset, weights, backend, precision, threads, cache), _tell)
            except BackendUnavailable as error:
                _tell(f"left out: {preset} {backend} {precision}: {error}")
                continue
            rows += _rows(preset, engine, reference, crops, seconds, cache)
            _tell(rows[-1].markdown())
            del engine
    return rows


def _rows(
    preset: str, engine: Backend, reference: Backend, crops: NDArray[np.uint8], seconds: float, cache: Path
) -> Iterator[Row]:
    report = verify(engine, reference, crops, timed_s=0.0)
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 1e6 if cache.exists() else None
    for batch in (1, 2):
        times = latencies_ms(engine, crops[:batch], seconds=seconds)
        p50, p95 = (float(np.percentile(times, share)) for share in (50, 95))
        speed = 1e3 * batch / p50
        difference = (report.joints_px_mean, report.joint_depth_mm_mean)
        yield Row(preset, engine.name, engine.precision, batch, p50, p95, speed, size, *difference)


def machine() -> str:
    """What this was measured on; a busy machine shows in its load."""
    gpu = nvidia_gpu()
    name = f"{gpu.name} ({gpu.capability})" if gpu else "no GPU"
    load = f"load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else "load unknown"
    return f"{_cpu_name()}, {_usable_cores()} cores used, {load}, {name}, Python {platform.python_version()}"


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _combinations() -> Iterator[tuple[BackendName, Precision]]:
    for backend, precisions in _CHOICES:
        if is_installed(backend):
            yield from product((backend,), precisions)


def _weights(preset: str, paper: Path | None, folder: Path) -> Path:
    if preset == "lite" or paper is not None:
        return weights_of(preset, None if preset == "lite" else paper)
    from benchmarks.smooth_weights import smooth_paper
    from engines.networks.paper import write_paper

    path = folder / "smooth.safetensors"
    if not path.exists():
        write_paper(smooth_paper(), path, {"weights": "untrained, with clear peaks"})
    return path


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Every backend, precision and preset that runs here, on the same crops, in one run: `python -m benchmarks.engines`.

Prints Markdown tables and writes them with a JSON beside them; what cannot be measured has a row that says why. Joints
are compared with torch in fp32 on the sample clip's crops; INT8 is measured here also where a build would refuse it. A
second table says how fast the networks could run at best (`benchmarks.floor`). The paper's networks have no weights
that may be shipped: without `--paper` they run with untrained ones that give clear peaks (`benchmarks.smooth_weights`);
speed does not depend on them.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch

from benchmarks.engine_rows import CHOICES, Plan, measure, weights_for_preset
from benchmarks.engine_table import COLUMNS, digits, line
from benchmarks.floor import Floor, Machine, floor_of, measured_machine, work_of
from engines.backends.gpu import nvidia_gpu
from engines.building.graph import deployed_module
from engines.errors import UserError
from engines.presets import spec_of
from engines.terminal import command
from realtime.command import CommandParser

_FLOOR_COLUMNS: Final = ("preset", "precision", "batch", "operations ms", "weights ms", "features ms", "floor ms")


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.engines", __doc__)
    parser.add_argument("--presets", nargs="+", default=["lite", "paper"], metavar="NAME")
    parser.add_argument("--backends", nargs="+", default=list(CHOICES), choices=list(CHOICES), metavar="NAME")
    parser.add_argument("--paper", type=Path, metavar="FILE", help="weights of preset paper")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network (0: as many as there are)")
    parser.add_argument("--seconds", type=float, default=5.0, help="longest time of one measurement")
    parser.add_argument("--compiled", action="store_true", help="torch.compile on a CPU too (always done on a GPU)")
    parser.add_argument("--output", type=Path, default=Path("out/engines"), help="writes OUTPUT.md and OUTPUT.json")
    given = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory() as folder:
            plan = Plan(
                given.presets, given.paper, given.backends, given.threads, given.seconds, compiled=given.compiled
            )
            rows = measure(plan, Path(folder))
            floors, machines = measured_floors(given.presets, given.paper, Path(folder))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    table = [line(COLUMNS), line(["---"] * len(COLUMNS)), *(row.markdown() for row in rows)]
    text = "\n".join([machine(), "", *table, "", *_floor_lines(floors, machines)])
    print(text)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.with_suffix(".md").write_text(text + "\n")
    given.output.with_suffix(".json").write_text(
        json.dumps(
            {
                "machine": machine(),
                "rows": [asdict(row) for row in rows],
                "measured": [asdict(one) for one in machines],
                "floors": [asdict(floor) | {"floor_ms": floor.floor_ms} for floor in floors],
            },
            indent=2,
        )
        + "\n"
    )
    return 0


def measured_floors(presets: list[str], paper: Path | None, folder: Path) -> tuple[list[Floor], list[Machine]]:
    """Floors of all presets on the GPU, or on the CPU where there is none, and what was measured for them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precisions = ("fp32", "tf32", "fp16") if device.type == "cuda" else ("fp32", "bf16")
    machines = [measured_machine(device, precision) for precision in precisions]
    floors = []
    for preset in presets:
        weights, size = weights_for_preset(preset, paper, folder), spec_of(preset).input_px
        for batch in (1, 2):
            work = work_of(deployed_module(preset, weights), size, batch)
            floors += [floor_of(preset, work, batch, machine) for machine in machines]
    return floors, machines


def _floor_lines(floors: list[Floor], machines: list[Machine]) -> list[str]:
    rates = [
        f"{one.device}, {one.precision}: {one.operations_per_s / 1e12:.2f} Tflop/s, {one.bytes_per_s / 1e9:.0f} GB/s"
        for one in machines
    ]
    rows = []
    for floor in floors:
        times = (floor.operations_ms, floor.weights_ms, floor.features_ms, floor.floor_ms)
        rows.append(line([floor.preset, floor.precision, str(floor.batch), *map(digits, times)]))
    return [*rates, "", line(_FLOOR_COLUMNS), line(["---"] * len(_FLOOR_COLUMNS)), *rows]


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


if __name__ == "__main__":
    sys.exit(main())

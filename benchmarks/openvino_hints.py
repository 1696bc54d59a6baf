"""What OpenVINO's hints do to one call of `lite`, side by side: `python -m benchmarks.openvino_hints [--batch N]`.

The engine is compiled once for each choice; then all are called in turns, each time in another order, so that whatever
else runs on the machine slows all alike. Times are medians and 95th percentiles; only their ratios tell anything.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import Any, Final

import numpy as np

from engines.building.openvino_files import MODEL_FILE
from engines.errors import UserError
from engines.openvino_core import openvino_config, openvino_core
from engines.terminal import command
from realtime.command import CommandParser
from realtime.engine import backend_of
from realtime.layers import load_settings

CHOICES: Final[dict[str, dict[str, Any]]] = {
    "as it is": {},
    "pinned to cores": {"ENABLE_CPU_PINNING": True},
    "1 thread": {"INFERENCE_NUM_THREADS": 1},
    "2 threads": {"INFERENCE_NUM_THREADS": 2},
    "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
    "no hyper-threads": {"ENABLE_HYPER_THREADING": False},
}


def times_ms(batch: int, turns: int, choices: dict[str, dict[str, Any]] = CHOICES) -> dict[str, list[float]]:
    """Milliseconds of each call by the name of the choice."""
    backend = backend_of(load_settings(None, ["engine.backend=openvino"]))
    assert backend.folder is not None
    core = openvino_core()
    model = core.read_model(backend.folder / MODEL_FILE)
    model.reshape([batch, *list(model.input(0).partial_shape)[1:]])
    crops = np.random.default_rng(0).integers(0, 256, (batch, backend.input_px, backend.input_px, 3), np.uint8)
    requests = {}
    for name, hints in choices.items():
        config = openvino_config(backend.precision, 0) | hints
        requests[name] = core.compile_model(model, "CPU", config).create_infer_request()
        requests[name].infer([crops])
    times: dict[str, list[float]] = {name: [] for name in requests}
    order = random.Random(0)
    for _ in range(turns):
        for name in order.sample(list(requests), len(requests)):
            begin_s = time.perf_counter()
            requests[name].infer([crops], share_inputs=True)
            times[name].append(1e3 * (time.perf_counter() - begin_s))
    return times


def table(times: dict[str, list[float]]) -> str:
    """A line for each choice, beside the first one."""
    first = statistics.median(next(iter(times.values())))
    lines = [f"{'':18}{'p50 ms':>9}{'p95 ms':>9}{'ratio':>8}"]
    for name, each in times.items():
        p50, p95 = statistics.median(each), float(np.percentile(each, 95))
        lines.append(f"{name:18}{p50:9.1f}{p95:9.1f}{p50 / first:8.2f}")
    return "\n".join(lines)


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.openvino_hints", __doc__)
    parser.add_argument("--batch", type=int, choices=(1, 2), default=2, help="crops at once (2)")
    parser.add_argument("--turns", type=int, default=200, metavar="N", help="calls of each (200)")
    given = parser.parse_args(argv)
    try:
        print(table(times_ms(given.batch, given.turns)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

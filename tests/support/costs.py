"""What each test file costs: `TEST_COSTS=FILE scripts/test.sh`, then `python tests/support/costs.py FILE`.

Processor seconds and bytes written, of the test process and of the processes that it started and waited for. The wall
clock says something else on each machine, and nothing at all on a busy one.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

_ASKED = "TEST_COSTS"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Adds a line for each test: file, test, seconds, bytes."""
    file = os.environ.get(_ASKED)
    if not file:
        return (yield)
    seconds, written = _spent()
    try:
        return (yield)
    finally:
        after_s, after_bytes = _spent()
        name = item.path.relative_to(item.config.rootpath / "tests").as_posix()
        line = json.dumps([name, item.name, after_s - seconds, after_bytes - written])
        with Path(file).open("a") as lines:
            lines.write(f"{line}\n")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What collecting and the imports took, as a line without a test: what is left of the process's own sum.

    The master of several processes has waited for them, and would tell of all of it a second time.
    """
    is_master = getattr(session.config.option, "numprocesses", None) and not hasattr(session.config, "workerinput")
    if (file := os.environ.get(_ASKED)) and not is_master:
        with Path(file).open("a") as lines:
            lines.write(f"{json.dumps(['', '', *_spent()])}\n")


def _spent() -> tuple[float, int]:
    """Seconds and bytes of this process and of those it has waited for."""
    times = os.times()
    own = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return sum(times[:4]), int(own["write_bytes"])


def main(file: Path, *, single: bool) -> None:
    """Print the forty dearest files, or tests, and the sum."""
    spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    whole = [0.0, 0.0]
    for line in file.read_text().splitlines():
        name, test, *cost = json.loads(line)
        of = spent[f"{name}::{test}" if single else name] if name else whole
        of[:] = [of[0] + cost[0], of[1] + cost[1]]
    for name, (seconds, written) in sorted(spent.items(), key=lambda one: -one[1][0])[:40]:
        print(f"{seconds:7.1f} s {written / 1e6:8.0f} MB  {name}")
    between = whole[0] - sum(seconds for seconds, _ in spent.values())
    print(f"{whole[0]:7.1f} s {whole[1] / 1e6:8.0f} MB  all processes, of which {between:.0f} s between the tests")


if __name__ == "__main__":
    main(Path(sys.argv[1]), single="--tests" in sys.argv)

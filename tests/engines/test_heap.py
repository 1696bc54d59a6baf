"""Memory that was taken for a while goes back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORK = """
import sys
import numpy as np
import psutil
from engines import heap
begin, end = sys.argv[1:]
if begin == "small":
    heap.begin_small()
np.ones(16 << 20, np.uint8)  # from here on glibc itself takes blocks of 16 MB from its heap
large, kept = [], []
for _ in range(30):  # such as a network's weights, and what describes the network
    large.append(np.ones(4 << 20, np.uint8))
    kept.append(np.ones(100_000, np.uint8))
before = psutil.Process().memory_info().rss
del large
if end == "open":
    heap.all_is_open()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")
@pytest.mark.parametrize(
    ("begin", "end", "least_mb", "most_mb"), [("", "", 0, 30), ("small", "", 110, 130), ("", "open", 110, 130)]
)
def test_blocks_that_were_large_or_are_free_when_all_is_open_are_given_back(
    begin: str, end: str, least_mb: float, most_mb: float
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK, begin, end], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert least_mb <= int(done.stdout) / 1e6 <= most_mb

"""Signals survive that networks come and go: freeing OpenVINO's plugin once unmapped the stack they run on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino")
ROOT = Path(__file__).parents[2]
COME_AND_GO = """
import faulthandler, gc, os, signal
from engines.openvino_core import openvino_core
{made}
faulthandler.enable()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
cores = [core() for _ in range(2)]
for one in cores:
    one.get_property("CPU", "FULL_DEVICE_NAME")
while cores:
    del cores[0]
    one = None
    gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
"""


def come_and_go(made: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COME_AND_GO.format(made=made)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_signal_is_handled_after_networks_were_freed() -> None:
    done = come_and_go("core = openvino_core")
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_nothing_makes_a_core_of_its_own() -> None:
    """Two of them, freed in the order they were made in, end the process at the next signal."""
    files = [path for room in ("engines", "realtime", "training", "viz") for path in (ROOT / room).rglob("*.py")]
    assert [path.name for path in files if "ov.Core()" in path.read_text()] == ["openvino_core.py"]


def test_a_file_that_is_cut_short_behind_a_read_network_harms_nobody(tmp_path: Path) -> None:
    """It may still be compiled, for another batch; where a file is mapped into memory, that is a bus error."""
    words = """
import sys, numpy as np, openvino as ov
from openvino import opset13 as ops
from engines.openvino_core import openvino_core
given = ops.parameter([1, 1 << 20], np.float32)
file = sys.argv[1]
added = ops.add(given, ops.constant(np.random.rand(1, 1 << 20).astype(np.float32)))
ov.save_model(ov.Model([added], [given]), file, False)
model = openvino_core().read_model(file)
with open(file.replace(".xml", ".bin"), "r+b") as weights:
    weights.truncate(100)
openvino_core().compile_model(model, "CPU")
"""
    command = [sys.executable, "-c", words, str(tmp_path / "model.xml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr

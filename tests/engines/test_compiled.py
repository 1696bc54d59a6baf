"""Networks for several batch sizes: the largest is there at once, the others come meanwhile, and are waited for."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from engines.backends.openvino_backend import Compiled
from engines.openvino_core import openvino_core

ROOT = Path(__file__).parents[2]


def sum_of_crops(batch: int) -> ov.CompiledModel:
    """Sums the bytes of each crop."""
    crops = ops.parameter([batch, 4, 4, 3], np.uint8)
    total = ops.reduce_sum(ops.convert(crops, "f32"), np.array([1, 2, 3]))
    return openvino_core().compile_model(ov.Model([total], [crops]), "CPU")


def after(event: threading.Event) -> Callable[[int], ov.CompiledModel]:
    def compile_for(batch: int) -> ov.CompiledModel:
        if batch == 1:
            assert event.wait(20)
        return sum_of_crops(batch)

    return compile_for


def test_the_largest_is_there_while_another_is_still_compiled_and_that_one_is_waited_for() -> None:
    ready = threading.Event()
    compiled = Compiled(after(ready), (1, 2), 4)
    two = compiled.request(2)
    assert two is not None
    two.infer([np.ones((2, 4, 4, 3), np.uint8)])
    np.testing.assert_array_equal(two.get_output_tensor(0).data, [48, 48])
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(compiled.request, 1)
        assert not wait([asked], 0.05).done
        ready.set()
        assert asked.result(20) is not None
    assert compiled.request(3) is None


def test_what_cannot_be_compiled_is_told_where_it_is_needed() -> None:
    def only(size: int) -> Callable[[int], ov.CompiledModel]:
        def compile_for(batch: int) -> ov.CompiledModel:
            if batch != size:
                raise RuntimeError("no memory")
            return sum_of_crops(batch)

        return compile_for

    with pytest.raises(RuntimeError, match="no memory"):
        Compiled(only(1), (1, 2), 4)
    compiled = Compiled(only(2), (1, 2), 4)
    with pytest.raises(RuntimeError, match="no memory"):
        compiled.request(1)


def test_a_program_may_end_while_a_network_is_compiled() -> None:
    words = (
        "from engines.backends.opening import open_backend; from engines.contract import EngineRequest; "
        "open_backend(EngineRequest(backend='openvino'), print)"
    )
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

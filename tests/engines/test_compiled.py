"""Networks for several batch sizes: one is there at once, others come meanwhile or when they are worth it."""

from __future__ import annotations

import shutil
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

from engines.backends import openvino_compiled
from engines.backends.opening import open_backend
from engines.backends.openvino_compiled import BEGIN_AFTER, TAKE_AFTER, Compiled
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.openvino_core import openvino_core

ROOT = Path(__file__).parents[2]
ONE, TWO = (np.full((count, 4, 4, 3), count, np.uint8) for count in (1, 2))


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
    np.testing.assert_array_equal(compiled(TWO)[0], [96, 96])
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(compiled, ONE)
        assert not wait([asked], 0.05).done
        ready.set()
        np.testing.assert_array_equal(asked.result(20)[0], [48])
    with pytest.raises(UserError, match="a batch of 3"):
        compiled(np.zeros((3, 4, 4, 3), np.uint8))


def test_a_size_is_compiled_when_it_is_asked_for_often_and_answered_by_a_larger_one_till_then() -> None:
    made: list[int] = []
    ready = threading.Event()

    def compile_for(batch: int) -> ov.CompiledModel:
        made.append(batch)
        return after(ready)(batch)

    compiled = Compiled(compile_for, (1, 2), 4, at_once=(2,))
    for _ in range(3 * BEGIN_AFTER):  # hands that come and go
        np.testing.assert_array_equal(compiled(ONE)[0], [48])
        np.testing.assert_array_equal(compiled(TWO)[0], [96, 96])
    assert made == [2]
    for _ in range(TAKE_AFTER - 1):
        np.testing.assert_array_equal(compiled(ONE)[0], [48])
    with ThreadPoolExecutor(1) as other:  # by the number of calls, whether it is ready or not
        asked = other.submit(compiled, ONE)
        assert not wait([asked], 0.05).done
        assert made == [2, 1]
        ready.set()
        np.testing.assert_array_equal(asked.result(20)[0], [48])
    np.testing.assert_array_equal(compiled(TWO)[0], [96, 96])
    assert made == [2, 1]


def test_a_larger_size_than_what_is_there_is_compiled_at_once() -> None:
    compiled = Compiled(sum_of_crops, (1, 2), 4, at_once=(1,))
    np.testing.assert_array_equal(compiled(ONE)[0], [48])
    np.testing.assert_array_equal(compiled(TWO)[0], [96, 96])


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
        compiled(ONE)


def test_what_is_only_faster_and_cannot_be_compiled_is_said_once_and_the_larger_one_goes_on() -> None:
    def gone(batch: int) -> ov.CompiledModel:
        if batch == 1:
            raise UserError("/cache/engine: the engine cannot be read any more")
        return sum_of_crops(batch)

    said: list[str] = []
    compiled = Compiled(gone, (1, 2), 4, at_once=(2,), say=said.append)
    for _ in range(2 * TAKE_AFTER):
        np.testing.assert_array_equal(compiled(ONE)[0], [48])
    np.testing.assert_array_equal(compiled(TWO)[0], [96, 96])
    assert said == [
        "/cache/engine: the engine cannot be read any more: going on with the network for 2 crops, slower for 1"
    ]


def test_a_cache_that_is_deleted_in_a_run_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_compiled, "BEGIN_AFTER", 2)
    monkeypatch.setattr(openvino_compiled, "TAKE_AFTER", 4)
    usual = open_backend(EngineRequest(backend="openvino", at_once=(2,)))
    assert usual.folder is not None
    shutil.copytree(usual.folder, tmp_path / usual.folder.name)  # building one takes longer than this test
    said: list[str] = []
    engine = open_backend(EngineRequest(backend="openvino", cache=tmp_path, at_once=(2,)), said.append)
    assert engine.folder == tmp_path / usual.folder.name
    shutil.rmtree(tmp_path)
    crop = np.random.default_rng(0).integers(0, 256, (1, engine.input_px, engine.input_px, 3), np.uint8)
    before = {name: value.copy() for name, value in engine(crop).items()}
    for _ in range(4):
        after = engine(crop)
    assert "was it deleted" in said[-1]
    for name, value in after.items():
        np.testing.assert_array_equal(value, before[name])


def test_a_program_may_end_while_a_network_is_compiled() -> None:
    words = (
        "from engines.backends.opening import open_backend; from engines.contract import EngineRequest; "
        "open_backend(EngineRequest(backend='openvino'), print)"
    )
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

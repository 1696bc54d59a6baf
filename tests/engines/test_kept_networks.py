"""Compiled networks are kept, answer to the bit as those just compiled, and are compiled anew where need be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from engines import user_folders
from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.kept_networks import FOLDER, compiled_network
from engines.openvino_core import openvino_core
from engines.pair_detector import PAIR_DETECTOR
from engines.spec import LITE

CROPS = np.random.default_rng(0).integers(0, 256, (2, LITE.input_px, LITE.input_px, 3), np.uint8)


def small() -> ov.Model:
    given = ops.parameter([1, 8], np.float32)
    weights = ops.constant(np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32))
    return ov.Model([ops.relu(ops.matmul(given, weights, False, False))], [given])


def answer(network: ov.CompiledModel) -> np.ndarray:
    request = network.create_infer_request()
    request.infer([np.linspace(-1, 1, 8, dtype=np.float32)[None]])
    return request.get_output_tensor(0).data.copy()


def never() -> ov.Model:
    raise AssertionError("it is compiled anew")


def kept(cache: Path) -> list[Path]:
    return sorted((cache / FOLDER).glob("*/network.blob"))


def test_it_is_compiled_once_for_each_of_what_decides(tmp_path: Path) -> None:
    first = answer(compiled_network("small", "a", small, "fp32", 1, cache=tmp_path))
    np.testing.assert_array_equal(answer(compiled_network("small", "a", never, "fp32", 1, cache=tmp_path)), first)
    for name, made_of, precision, threads, batch in (
        ("other", "a", "fp32", 1, 1),
        ("small", "b", "fp32", 1, 1),
        ("small", "a", "bf16", 1, 1),
        ("small", "a", "fp32", 2, 1),
        ("small", "a", "fp32", 1, 2),
    ):
        with pytest.raises(AssertionError, match="anew"):
            compiled_network(name, made_of, never, precision, threads, batch, tmp_path)
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("content", [b"", b"no network", None], ids=["empty", "foreign", "cut short"])
def test_damage_is_seen_and_mended(content: bytes | None, tmp_path: Path) -> None:
    first = answer(compiled_network("small", "a", small, "fp32", 1, cache=tmp_path))
    (file,) = kept(tmp_path)
    damaged = file.read_bytes()[:1000] if content is None else content
    file.write_bytes(damaged)
    np.testing.assert_array_equal(answer(compiled_network("small", "a", small, "fp32", 1, cache=tmp_path)), first)
    assert file.read_bytes() != damaged
    compiled_network("small", "a", never, "fp32", 1, cache=tmp_path)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    for _ in range(2):
        assert answer(compiled_network("small", "a", small, "fp32", 1, cache=tmp_path)).shape == (1, 8)


def test_one_kept_in_a_cache_that_may_only_be_read_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an image has it: what is new goes to a temporary cache, the user's own is looked into as well."""
    own, temporary = tmp_path / "own", tmp_path / "temporary"
    compiled_network("small", "a", small, "fp32", 1, cache=own)
    monkeypatch.setitem(user_folders._OWN, temporary, own)
    compiled_network("small", "a", never, "fp32", 1, cache=temporary)
    compiled_network("small", "b", small, "fp32", 1, cache=temporary)
    assert (len(kept(own)), len(kept(temporary))) == (1, 1)


def test_networks_of_ours_answer_to_the_bit_as_before(tmp_path: Path) -> None:
    request = EngineRequest("lite", backend="openvino", cache=tmp_path, batches=(1, 2))
    answers = []
    for _ in range(2):
        engine = open_backend(request)
        answers.append([value.copy() for n in (1, 2) for value in engine(CROPS[:n]).values()])
        del engine
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(kept(tmp_path)) == 2

    def read() -> ov.Model:
        return openvino_core().read_model(PAIR_DETECTOR)

    networks = [compiled_network("pairs", "a", how, "fp32", 1, cache=tmp_path) for how in (read, never)]
    picture = CROPS[:1, :192, :192]
    maps = []
    for network in networks:
        asked = network.create_infer_request()
        asked.infer([np.resize(picture, tuple(network.input(0).shape)).astype(np.uint8)])
        maps.append([tensor.data.copy() for tensor in asked.output_tensors])
    for one, other in zip(*maps, strict=True):
        np.testing.assert_array_equal(one, other)

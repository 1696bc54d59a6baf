"""Which backend is taken where the best one fails, and what is said then."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from engines.backends.opening import first_that_opens
from engines.backends.tf32 import tf32
from engines.backends.torch_backend import TorchBackend
from engines.building.tensorrt_package import load_tensorrt
from engines.building.tensorrt_plan import build_plan
from engines.contract import Backend, EngineRequest, Precision, unavailable_if_it_fails
from engines.errors import BackendUnavailable
from engines.installed import is_installed
from engines.presets import weights_of


def _too_large() -> Backend:
    with unavailable_if_it_fails("torch"):
        torch.zeros(1 << 60)
    raise AssertionError("no computer has so much memory")


def _on_cpu(precision: Precision = "auto") -> Backend:
    return TorchBackend(EngineRequest(precision=precision), weights_of("lite", None), on_cpu=True)


def test_a_failure_while_opening_leads_to_the_next_one_in_one_line() -> None:
    lines: list[str] = []
    engine = first_that_opens({"torch": _too_large, "torch on the CPU": _on_cpu}, lines.append)
    assert (engine.name, engine.precision, engine.folder) == ("torch", "fp32", None)
    (line,) = lines
    assert line.startswith("backend torch cannot run here (")
    assert line.endswith("choose --engine openvino - trying torch on the CPU")
    assert "\n" not in line


@pytest.mark.skipif(not is_installed("tensorrt_rtx"), reason="tensorrt_rtx is not installed (make setup EXTRAS=rtx)")
def test_a_plan_that_cannot_be_built_leads_to_the_next_one() -> None:
    lines: list[str] = []

    def rtx() -> Backend:
        build_plan(load_tensorrt("tensorrt_rtx"), b"no graph", (1,))
        raise AssertionError("this is no graph")

    assert first_that_opens({"tensorrt_rtx": rtx, "torch": _on_cpu}, lines.append).name == "torch"
    assert "cannot read the graph" in lines[0]
    assert "choose --engine openvino - trying torch" in lines[0]


def test_if_none_can_the_last_ones_reason_is_the_error() -> None:
    with pytest.raises(BackendUnavailable, match="backend torch cannot run here"):
        first_that_opens({"torch": _too_large}, print)
    lines: list[str] = []
    with pytest.raises(BackendUnavailable, match="choose --precision"):
        first_that_opens({"torch": _too_large, "torch on the CPU": partial(_on_cpu, "fp16")}, lines.append)
    assert len(lines) == 1


def test_other_mistakes_are_not_passed_over() -> None:
    with pytest.raises(ZeroDivisionError):
        first_that_opens({"torch": partial(divmod, 1, 0), "torch on the CPU": _on_cpu}, print)  # type: ignore[dict-item]


def test_rounding_to_tf32_is_off_within_and_as_it_was_after() -> None:
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    for allowed in (False, True):
        with pytest.raises(KeyError), tf32(allowed):
            assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (allowed, allowed)
            raise KeyError
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before

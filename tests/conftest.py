"""What all tests share: the optional data beside the checkout, Hypothesis without a clock, word of a dead process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from engines.building import graph
from engines.presets import DEFAULT_WEIGHTS
from tests.support.dead_process import pytest_testnodedown  # noqa: F401  pytest finds it here

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def _shipped_graphs_are_exported_once() -> Iterator[None]:
    """Half a dozen engines of the shipped weights are built in a test run, and an export takes five seconds."""
    export, shipped = graph.onnx_graph, cache(graph.onnx_graph)
    weights = DEFAULT_WEIGHTS["lite"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            graph,
            "onnx_graph",
            lambda preset, path, *rest, **named: (shipped if path == weights else export)(preset, path, *rest, **named),
        )
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings and annotated pictures, which are no part of the project."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the optional data in shared/data beside the checkout")
    return folder

"""What all tests share: the optional data beside the checkout, Hypothesis without a clock, word of a dead process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from engines.building import graph
from engines.files import file_sha256
from engines.witness_file import witness_file
from tests.support.costs import pytest_runtest_protocol, pytest_sessionfinish  # noqa: F401
from tests.support.dead_process import pytest_sessionstart, pytest_testnodedown  # noqa: F401  pytest finds them here
from tests.support.frozen_imports import pytest_collection_finish  # noqa: F401
from tests.support.longest_first import pytest_collection_modifyitems  # noqa: F401

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def _each_graph_is_exported_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A dozen engines are built of the same few weights, in several test processes, and an export takes seconds.

    `scripts/test.sh` gives a folder to all processes of its run.
    """
    kept = Path(os.environ.get("TEST_GRAPHS") or tmp_path_factory.mktemp("graphs"))
    export = graph.onnx_graph

    def exported(
        preset: str, weights: Path, precision: graph.GraphPrecision = "fp32", *, witness: bool = True
    ) -> bytes:
        sources = [path for path in (weights, witness_file(preset, weights, witness)) if path and path.is_file()]
        file = kept / f"{preset}-{precision}-{'-'.join(file_sha256(path) for path in sources)}.onnx"
        with (kept / "lock").open("w") as lock:  # who comes second waits for the first one's
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                file.write_bytes(export(preset, weights, precision, witness=witness))
        return file.read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "onnx_graph", exported)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings and annotated pictures, which are no part of the project."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the optional data in shared/data beside the checkout")
    return folder

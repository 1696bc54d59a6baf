"""What all tests share: the optional data beside the checkout, Hypothesis without a clock, word of a dead process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from engines.building import graph
from engines.files import file_sha256, replace_file
from engines.witness_file import witness_file
from tests.support.dead_process import pytest_testnodedown  # noqa: F401  pytest finds it here

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def _each_graph_is_exported_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A dozen engines are built of the same few weights, in several test processes, and an export takes seconds."""
    base = tmp_path_factory.getbasetemp()
    kept = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "graphs"
    kept.mkdir(exist_ok=True)
    export = graph.onnx_graph

    def exported(
        preset: str, weights: Path, precision: graph.GraphPrecision = "fp32", *, witness: bool = True
    ) -> bytes:
        sources = [path for path in (weights, witness_file(preset, weights, witness)) if path and path.is_file()]
        file = kept / f"{preset}-{precision}-{'-'.join(file_sha256(path) for path in sources)}.onnx"
        if sources and file.exists():
            with suppress(FileNotFoundError):  # another test process has come to its end
                return file.read_bytes()
        content = export(preset, weights, precision, witness=witness)
        replace_file(file, content)
        return content

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "onnx_graph", exported)
        yield
    shutil.rmtree(kept, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings and annotated pictures, which are no part of the project."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the optional data in shared/data beside the checkout")
    return folder

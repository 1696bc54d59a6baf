"""What all tests share: the optional data beside the checkout, Hypothesis without a clock, word of a dead process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import engines  # noqa: F401  before any file of tests: it tells packages that would report their use to be silent
from tests.support.costs import pytest_runtest_protocol, pytest_sessionfinish  # noqa: F401
from tests.support.dead_process import pytest_sessionstart, pytest_testnodedown  # noqa: F401  pytest finds them here
from tests.support.frozen_imports import pytest_collection_finish  # noqa: F401
from tests.support.longest_first import pytest_collection_modifyitems  # noqa: F401

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def _each_graph_is_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from tests.support.kept_graphs import graphs_kept_in  # brings torch, which xdist's master does without

    with graphs_kept_in(Path(os.environ.get("TEST_GRAPHS") or tmp_path_factory.mktemp("graphs"))):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings and annotated pictures, which are no part of the project."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the optional data in shared/data beside the checkout")
    return folder

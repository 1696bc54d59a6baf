"""Exported and quantised networks that all test processes of a run share, and later runs, too: a dozen engines are
built of the same few.

An export takes two seconds, NNCF five. `scripts/test.sh` gives a folder to all processes, which outlives its run: a
graph is made anew where our sources that decide on it, a package that takes part, its weights or its crops are others.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from engines.building import graph, int8
from engines.cache.sources import own_sources_sha256
from engines.files import file_sha256, in_one_step
from engines.witness_file import witness_file

_MAKERS: Final = ("torch", "onnx", "onnxscript", "onnx-ir", "onnxruntime", "nncf", "numpy")
_KEPT_S: Final = 14 * 86_400
"""What nobody asked for in so long is removed."""


@contextmanager
def graphs_kept_in(folder: Path) -> Iterator[None]:
    """As long as this is entered, what was exported or quantised before, by whichever process, is read instead."""
    export, quantise = graph.onnx_graph, int8._quantised

    def exported(
        preset: str, weights: Path, precision: graph.GraphPrecision = "fp32", *, witness: bool = True
    ) -> bytes:
        sources = [path for path in (weights, witness_file(preset, weights, witness)) if path and path.is_file()]
        name = f"{preset}-{precision}-{'-'.join(file_sha256(path) for path in sources)}.onnx"
        return once(folder / name, lambda: export(preset, weights, precision, witness=witness))

    def quantised(model: onnx.ModelProto, crops: NDArray[np.uint8], kept: set[str]) -> bytes:
        parts = (model.SerializeToString(deterministic=True), crops.tobytes(), repr(sorted(kept)).encode())
        name = f"int8-{hashlib.sha256(b''.join(parts)).hexdigest()}.onnx"
        return once(folder / name, lambda: quantise(model, crops, kept))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "onnx_graph", exported)
        patch.setattr(int8, "_quantised", quantised)
        yield


def once(file: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a file, named by what it is made of; who comes second waits for what the first one makes."""
    file = file.with_name(f"{_made_by()}-{file.name}")
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            with in_one_step(file) as temporary:
                temporary.write_bytes(make())
        file.touch()
    return file.read_bytes()


def sweep(folder: Path) -> None:
    """Remove what other sources or packages made, and what was not asked for in two weeks."""
    for file in folder.iterdir():
        if not file.name.startswith(_made_by()) or time.time() - file.stat().st_mtime > _KEPT_S:
            file.unlink(missing_ok=True)


@cache
def _made_by() -> str:
    """What a graph depends on beside weights and crops: our sources, and the packages with their versions."""
    parts = [own_sources_sha256(), *(f"{name} {_version(name)}" for name in _MAKERS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

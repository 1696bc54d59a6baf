"""Exported and quantised networks that all test processes of a run share: a dozen engines are built of the same few.

An export takes eight seconds, NNCF five. `scripts/test.sh` gives a folder to all processes of its run.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from engines.building import graph, int8
from engines.files import file_sha256
from engines.witness_file import witness_file


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
    """The file's content; who comes second waits for what the first one makes."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_bytes(make())
    return file.read_bytes()

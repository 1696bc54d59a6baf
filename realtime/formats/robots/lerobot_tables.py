"""The Parquet files of a LeRobot v3 data set: frames, episodes, tasks (pyarrow; any thread)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


def write_frames(values: Mapping[str, NDArray], path: Path) -> None:
    """One row a frame; arrays (F,) become numbers, (F, N) lists of N. Raises OSError."""
    _write(pa.table({name: _array(column) for name, column in values.items()}), path)


def write_episodes(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """One row an episode. Raises OSError."""
    _write(pa.Table.from_pylist([dict(row) for row in rows]), path)


def write_tasks(tasks: Sequence[str], path: Path) -> None:
    """What is done in the episodes: the index of a pandas table, as LeRobot reads it. Raises OSError."""
    numbers = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    texts = {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object"}
    about = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [{**column, "metadata": None} for column in (numbers, texts)],
        "pandas_version": "2.2.0",
    }
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": list(tasks)})
    _write(table.replace_schema_metadata({"pandas": json.dumps(about)}), path)


def _array(values: NDArray) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # Arrow takes no name that is not UTF-8
        pq.write_table(table, file, compression="snappy")

"""Parquet: the columns of `columns`, compressed; run facts in the schema's metadata. The only home of pyarrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from realtime.formats.columns import columns
from realtime.tracks.schema import Tracks

FORMAT: Final = "two-hands-parquet 1"


def write(tracks: Tracks, path: Path) -> None:
    """Write the table; absent hands are null. Raises OSError."""
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns(tracks)}
    facts = {
        "format": FORMAT,
        "intrinsics_px": json.dumps(tracks.intrinsics_px.tolist()),
        "distortion": json.dumps(tracks.intrinsics.distortion),
        "lens_model": tracks.intrinsics.lens_model,
        "size_px": json.dumps(tracks.size_px.tolist()),
        "settings": tracks.settings,
        "versions": tracks.versions,
    }
    with path.open("wb") as file:  # Arrow takes no name that is not UTF-8
        pq.write_table(pa.table(arrays).replace_schema_metadata(facts), file, compression="zstd")

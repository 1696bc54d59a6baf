"""CSV: one row a frame, with the names of `columns` in the first line; an absent hand leaves its cells empty."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.formats.columns import columns
from realtime.tracks.schema import Tracks

_BLOCK: Final = 512
"""Rows turned into text at once."""
_CAMERA: Final = ("fx_px", "fy_px", "cx_px", "cy_px", "width_px", "height_px", "distortion", "lens_model")


def write(tracks: Tracks, path: Path) -> None:
    """Write the table; its last columns repeat the camera's intrinsics, lens and picture size. Raises OSError."""
    named = list(columns(tracks))
    lens = [" ".join(map(str, tracks.intrinsics.distortion)), tracks.intrinsics.lens_model]
    camera = [*(str(value) for value in (*tracks.intrinsics_px.tolist(), *tracks.size_px.tolist())), *lens]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(name for name, _ in named), *_CAMERA])
        for start in range(0, len(tracks), _BLOCK):
            cells = [_texts(values[start : start + _BLOCK]) for _, values in named]
            writer.writerows([*row, *camera] for row in zip(*cells, strict=True))


def _texts(values: NDArray) -> list[str]:
    """The shortest decimals that read back as the same number; nothing for NaN."""
    texts = np.ascontiguousarray(values).astype(str)
    if values.dtype.kind == "f":
        texts = np.where(np.isnan(values), "", texts)
    return list(texts.tolist())
